// An HTTP/2 server whose paths end badly on purpose: node h2-app.js ADDRESS PORT [CERTIFICATE KEY]
//
// Node's own http2; without a certificate, HTTP/2 by prior knowledge.
const fs = require('fs');
const http2 = require('http2');
const [address, port, certificate, key] = process.argv.slice(2);
const { NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM, NGHTTP2_ENHANCE_YOUR_CALM } = http2.constants;

const part = Buffer.from('0123456\n'.repeat(128));
const sockets = new WeakMap();
const server = certificate
  ? http2.createSecureServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) })
  : http2.createServer();

const paths = {
  // Answers at once.
  '/hello': (stream) => stream.end('hello\n'),
  // Sends a quarter of what it promised, the rest three seconds later.
  '/slow': (stream) => {
    stream.respond({ 'content-length': 4 * part.length });
    stream.write(part);
    setTimeout(() => stream.end(Buffer.concat([part, part, part])), 3000);
  },
  // Does not answer.
  '/never': () => {},
  // Answers, says with GOAWAY that it takes nothing after this stream, and closes before it has finished what came earlier.
  '/last': (stream) => {
    stream.end('last\n');
    const { session } = stream;
    setTimeout(() => session.goaway(NGHTTP2_NO_ERROR, stream.id), 100);
    setTimeout(() => sockets.get(session).destroy(), 400);
  },
  // Has had enough of this client.
  '/calm': (stream) => stream.session.goaway(NGHTTP2_ENHANCE_YOUR_CALM, stream.id, Buffer.from('too_many_pings')),
  // Fails in the middle of its answer.
  '/fails': (stream) => {
    stream.respond({ 'content-length': 4 * part.length });
    stream.write(part);
    setTimeout(() => stream.destroy(new Error('failed')), 200);
  },
  // Does not even begin.
  '/refused': (stream) => stream.close(NGHTTP2_REFUSED_STREAM),
};

let newest;
server.prependListener(certificate ? 'secureConnection' : 'connection', (socket) => { newest = socket; });
server.on('session', (session) => {
  sockets.set(session, newest);
  session.on('error', () => {});
});
server.on('stream', (stream, headers) => {
  stream.on('error', () => {});
  paths[headers[':path']](stream);
});
server.listen(Number(port), address);
