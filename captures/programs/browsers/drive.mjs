// Records what browsers do when all is well: `node drive.mjs [NAME…]`, as root, in a network namespace of its own whose
// loopback is up, with nginx and app.js running there. Chromium by playwright-core, Firefox ESR by puppeteer-core (npm).
import {chromium} from 'playwright-core';
import puppeteer from 'puppeteer-core';
import {spawn} from 'child_process';
import fs from 'fs';
const H='http://site.test:8080',S='https://site.test:8443',T='https://site.test:8444',A='http://site.test:9001';
const sleep=ms=>new Promise(r=>setTimeout(r,ms));
const go=(p,u)=>p.goto(u,{waitUntil:'load'});
const scenes={
 async 'chromium-page'(p){await go(p,H+'/index.html');},
 async 'chromium-reload'(p){await go(p,H+'/index.html');await p.reload();await sleep(500);await p.reload();},
 async 'chromium-h2'(p){await go(p,S+'/index.html');await p.reload();},
 async 'chromium-tls-h1'(p){await go(p,T+'/index.html');await go(p,T+'/b.html');},
 async 'chromium-idle'(p){await go(p,H+'/index.html');await sleep(7000);await go(p,H+'/b.html');await sleep(500);},
 async 'chromium-tls-idle'(p){await go(p,T+'/index.html');await sleep(7000);await go(p,T+'/b.html');},
 async 'chromium-h2-idle'(p){await go(p,S+'/index.html');await sleep(7000);await go(p,S+'/b.html');},
 async 'chromium-navigate-away'(p){p.goto(H+'/slowimgs.html').catch(()=>{});await sleep(700);await go(p,H+'/b.html');await sleep(500);},
 async 'chromium-navigate-away-h2'(p){p.goto(S+'/slowimgs.html').catch(()=>{});await sleep(700);await go(p,S+'/b.html');await sleep(500);},
 async 'chromium-preconnect'(p){await go(p,H+'/pre.html');await sleep(2500);},
 async 'chromium-sse'(p){await go(p,H+'/b.html');await p.evaluate(()=>new Promise(r=>{const e=new EventSource('/app/sse');let n=0;e.onmessage=()=>{if(++n==5)r()}}));await go(p,H+'/done.html');},
 async 'chromium-sse-tls'(p){await go(p,T+'/b.html');await p.evaluate(()=>new Promise(r=>{const e=new EventSource('/app/sse');let n=0;e.onmessage=()=>{if(++n==5)r()}}));},
 async 'chromium-websocket'(p){await go(p,H+'/b.html');await p.evaluate(()=>new Promise(r=>{const w=new WebSocket('ws://site.test:8080/app/ws');let n=0;w.onopen=()=>w.send('a');w.onmessage=()=>{if(++n<6)w.send('b');else{w.close();w.onclose=r}}}));},
 async 'chromium-websocket-left'(p){await go(p,H+'/b.html');await p.evaluate(()=>new Promise(r=>{const w=new WebSocket('ws://site.test:8080/app/ws');window.w=w;w.onopen=()=>w.send('a');w.onmessage=r}));await go(p,H+'/done.html');await sleep(300);},
 async 'chromium-websocket-tls'(p){await go(p,S+'/b.html');await p.evaluate(()=>new Promise(r=>{const w=new WebSocket('wss://site.test:8443/app/ws');let n=0;w.onopen=()=>w.send('a');w.onmessage=()=>{if(++n<6)w.send('b');else{w.close();w.onclose=r}}}));},
 async 'chromium-abort'(p){await go(p,A+'/chunked');await p.evaluate(async()=>{const c=new AbortController();setTimeout(()=>c.abort(),300);try{await fetch('/poll?ms=3000',{signal:c.signal})}catch{};await fetch('/poll?ms=50')});},
 async 'chromium-poll'(p){await go(p,A+'/chunked');await p.evaluate(async()=>{for(let i=0;i<3;i++)await fetch('/poll?ms=400')});p.evaluate(()=>fetch('/poll?ms=9000')).catch(()=>{});await sleep(300);},
 async 'chromium-form'(p){await go(p,H+'/form.html');await p.setInputFiles('input[type=file]',{name:'f.bin',mimeType:'application/octet-stream',buffer:Buffer.alloc(300000,97)});await Promise.all([p.waitForURL('**/done.html'),p.click('button')]);},
 async 'chromium-beacon'(p){await go(p,H+'/b.html');await p.evaluate(()=>addEventListener('pagehide',()=>navigator.sendBeacon('/app/beacon','x'.repeat(2000))));await go(p,H+'/done.html');await sleep(300);},
 async 'chromium-range'(p){await go(p,H+'/b.html');await p.evaluate(async()=>{for(const r of ['0-999','100000-199999','-500'])await (await fetch('/big.bin',{headers:{range:'bytes='+r}})).arrayBuffer()});},
 async 'chromium-busy'(p){await go(p,H+'/b.html');await p.evaluate(async()=>{await fetch('/app/503');await fetch('/app/none');await Promise.all([...Array(12).keys()].map(i=>fetch('/app/slow?ms=200&i='+i)))});},
 async 'chromium-download'(p){await go(p,H+'/b.html');const [d]=await Promise.all([p.waitForEvent('download'),p.evaluate(()=>{const a=document.createElement('a');a.href='/big.bin';a.download='x';a.click()})]);await d.path();},
 async 'chromium-download-cancelled'(p){await go(p,A+'/chunked');const [d]=await Promise.all([p.waitForEvent('download'),p.evaluate(()=>{const a=document.createElement('a');a.href='/bigslow';a.click()})]);await sleep(800);await d.cancel();await sleep(400);},
 async 'chromium-stream-read-part'(p){await go(p,H+'/b.html');await p.evaluate(async()=>{const r=(await fetch('/limited/big.bin')).body.getReader();await r.read();await r.cancel()});await sleep(300);},
 async 'chromium-many-tabs'(p,c){await Promise.all([1,2,3,4].map(async()=>{const q=await c.newPage();await go(q,H+'/index.html');await q.close()}));},
 async 'chromium-upload-duplex'(p){await go(p,H+'/b.html');await p.evaluate(async()=>{for(let i=0;i<3;i++)await (await fetch('/app/echo',{method:'POST',body:'y'.repeat(50000)})).text()});},
 async 'firefox-page'(p){await go(p,H+'/index.html');},
 async 'firefox-h2'(p){await go(p,S+'/index.html');await p.reload();},
 async 'firefox-idle'(p){await go(p,H+'/index.html');await sleep(7000);await go(p,H+'/b.html');await sleep(400);},
 async 'firefox-navigate-away'(p){p.goto(H+'/slowimgs.html').catch(()=>{});await sleep(900);await go(p,H+'/b.html');await sleep(400);},
 async 'firefox-sse'(p){await go(p,H+'/b.html');await p.evaluate(()=>new Promise(r=>{const e=new EventSource('/app/sse');let n=0;e.onmessage=()=>{if(++n==5)r()}}));await go(p,H+'/done.html');await sleep(200);},
 async 'firefox-websocket'(p){await go(p,H+'/b.html');await p.evaluate(()=>new Promise(r=>{const w=new WebSocket('ws://site.test:8080/app/ws');let n=0;w.onopen=()=>w.send('a');w.onmessage=()=>{if(++n<6)w.send('b');else{w.close();w.onclose=r}}}));},
 async 'firefox-websocket-left'(p){await go(p,H+'/b.html');await p.evaluate(()=>new Promise(r=>{const w=new WebSocket('ws://site.test:8080/app/ws');window.w=w;w.onopen=()=>w.send('a');w.onmessage=r}));await go(p,H+'/done.html');await sleep(300);},
 async 'firefox-abort'(p){await go(p,A+'/chunked');await p.evaluate(async()=>{const c=new AbortController();setTimeout(()=>c.abort(),300);try{await fetch('/poll?ms=3000',{signal:c.signal})}catch{};await fetch('/poll?ms=50')});},
 async 'firefox-busy'(p){await go(p,H+'/b.html');await p.evaluate(async()=>{await Promise.all([...Array(12).keys()].map(i=>fetch('/app/slow?ms=200&i='+i)))});},
 async 'firefox-leaves-poll'(p){await go(p,A+'/chunked');p.evaluate(()=>fetch('/poll?ms=9000')).catch(()=>{});await sleep(600);},
};
const CHROMIUM=['--no-sandbox','--disable-gpu','--disable-quic','--no-first-run','--disable-background-networking','--disable-component-update','--disable-sync','--ignore-certificate-errors','--host-resolver-rules=MAP site.test 127.0.0.1'];
const FIREFOX={'network.captive-portal-service.enabled':false,'network.connectivity-service.enabled':false,'app.normandy.enabled':false,'network.dns.disablePrefetch':true,'network.dns.localDomains':'site.test'};
const want=process.argv.slice(2);
fs.mkdirSync('out',{recursive:true});
for(const [name,play] of Object.entries(scenes)){
 if(want.length&&!want.includes(name))continue;
 const key=`${process.cwd()}/out/${name}.keylog`;fs.rmSync(key,{force:true});
 const dump=spawn('tcpdump',['-q','-i','lo','-U','-s','0','-w',`out/${name}.pcap`,'tcp'],{stdio:'ignore'});await sleep(500);
 const env={...process.env,SSLKEYLOGFILE:key};
 let browser;
 try{
  if(name.startsWith('firefox')){
   browser=await puppeteer.launch({browser:'firefox',headless:true,executablePath:'/usr/bin/firefox-esr',acceptInsecureCerts:true,env,extraPrefsFirefox:FIREFOX});
   await play(await browser.newPage());
  }else{
   browser=await chromium.launch({executablePath:'/usr/bin/chromium',env,args:CHROMIUM});
   const context=await browser.newContext({ignoreHTTPSErrors:true,acceptDownloads:true});
   await play(await context.newPage(),context);
  }
 }catch(error){console.log(name,'failed:',String(error))}
 await sleep(200);if(browser)await browser.close();
 await sleep(700);dump.kill('SIGTERM');await sleep(200);
}
