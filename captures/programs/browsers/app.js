// What the pages ask for: slow answers, events, uploads, WebSockets. On ./app.sock behind nginx, and on port 9001.
const http=require('http'),{WebSocketServer}=require('ws'),fs=require('fs');
function handle(q,r){
  const u=new URL(q.url,'http://x'),p=u.pathname.replace(/^\/app/,'');
  if(p=='/slow'){setTimeout(()=>r.end('slow'),+(u.searchParams.get('ms')||800));return;}
  if(p=='/sse'){r.writeHead(200,{'content-type':'text/event-stream','x-accel-buffering':'no'});let n=0;const t=setInterval(()=>r.write('data: '+(n++)+'\n\n'),200);q.on('close',()=>clearInterval(t));return;}
  if(p=='/post'){let n=0;q.on('data',d=>n+=d.length);q.on('end',()=>{r.writeHead(303,{location:'/done.html'});r.end();});return;}
  if(p=='/beacon'){q.resume();q.on('end',()=>{r.writeHead(204);r.end();});return;}
  if(p=='/poll'){const t=setTimeout(()=>r.end('{"n":1}'),+(u.searchParams.get('ms')||1500));q.on('close',()=>clearTimeout(t));return;}
  if(p=='/503'){r.writeHead(503,{'retry-after':'1'});r.end('busy');return;}
  if(p=='/bigslow'){r.writeHead(200,{'content-length':4000000,'content-type':'application/octet-stream','content-disposition':'attachment; filename=big.bin'});let n=0;const b=Buffer.alloc(20000,97);const t=setInterval(()=>{r.write(b);n+=20000;if(n>=4000000){clearInterval(t);r.end();}},50);q.on('close',()=>clearInterval(t));return;}
  if(p=='/chunked'){r.writeHead(200,{'content-type':'text/plain'});let n=0;const t=setInterval(()=>{r.write('part '+n+'\n');if(++n==5){clearInterval(t);r.end();}},150);return;}
  if(p=='/echo'){q.pipe(r);return;}
  r.writeHead(404);r.end('none');
}
try{fs.unlinkSync('app.sock')}catch{}
for(const where of ['app.sock',9001]){

 const s=http.createServer(handle);const w=new WebSocketServer({server:s});w.on('connection',c=>c.on('message',m=>c.send(m)));s.listen(where,()=>{if(typeof where=='string')fs.chmodSync(where,0o777)});
}
