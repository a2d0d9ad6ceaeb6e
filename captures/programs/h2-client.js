// Asks for several paths at once on one HTTP/2 connection: node h2-client.js ORIGIN ADDRESS CERTIFICATE|- PATH…
//
// Node's own http2; `--tls-keylog` is Node's. PATH may end in `!`: this stream is cancelled after half a second; `PATH*100`
// stands for a hundred streams.
const fs = require('fs');
const http2 = require('http2');
const net = require('net');
const tls = require('tls');
const [origin, host, certificate, ...paths] = process.argv.slice(2);
const { hostname, port, protocol } = new URL(origin);
const secure = protocol === 'https:';

const session = http2.connect(origin, {
  createConnection: () => secure
    ? tls.connect({ host, port: port || 443, servername: hostname, ca: fs.readFileSync(certificate), ALPNProtocols: ['h2'] })
    : net.connect({ host, port: port || 80 }),
});
session.on('goaway', (code, last, data) => console.log(`goaway: code ${code}, last stream ${last}, ${data ?? 'no data'}`));
session.on('error', (error) => console.log(`session: ${error.message}`));

const all = paths.flatMap((path) => {
  const [, name, count, cancelled] = path.match(/^(.*?)(?:\*(\d+))?(!?)$/);
  return Array(Number(count ?? 1)).fill({ name, cancelled });
});
let open = all.length;
for (const { name, cancelled } of all) {
  const stream = session.request({ ':path': name });
  let size = 0;
  stream.on('data', (chunk) => { size += chunk.length; });
  stream.on('error', () => {});
  stream.on('close', () => {
    if (!cancelled) console.log(`stream ${stream.id}, ${name}: ${size} bytes, code ${stream.rstCode}`);
    open -= 1;
    if (open === 0 && !session.closed && !session.destroyed) session.goaway(); // the server closes
  });
  if (cancelled) setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), 500);
}
