// WebSockets on streams of HTTP/2 (RFC 8441), in Node's own http2:
//
//   node h2-socket.js serve ADDRESS PORT CERTIFICATE KEY
//   node h2-socket.js call ORIGIN ADDRESS AUTHORITIES PATH…
//
// `/polite` ends with Close frames of both sides, `/cut` is given up by the server without one, `/open` stays as it is until
// the client closes the connection.
const fs = require('fs');
const http2 = require('http2');
const tls = require('tls');
const [role, ...rest] = process.argv.slice(2);

// Frames of RFC 6455: a client's are masked, here with a key that changes nothing.
const frame = (opcode, payload, masked) => Buffer.concat([
  Buffer.from([0x80 | opcode, (masked ? 0x80 : 0) | payload.length]),
  Buffer.alloc(masked ? 4 : 0),
  Buffer.from(payload),
]);
const GOING_AWAY = [0x03, 0xe9];

if (role === 'serve') {
  const [address, port, certificate, key] = rest;
  const server = http2.createSecureServer({
    cert: fs.readFileSync(certificate), key: fs.readFileSync(key), settings: { enableConnectProtocol: true },
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
    stream.write(frame(1, Buffer.from('welcome')));
    setTimeout(() => {
      if (headers[':path'] === '/polite') stream.end(frame(8, GOING_AWAY));
      if (headers[':path'] === '/cut') stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    }, 300);
  });
  server.listen(Number(port), address);
} else {
  const [origin, host, authorities, ...paths] = rest;
  const { hostname } = new URL(origin);
  const session = http2.connect(origin, {
    createConnection: () => tls.connect({
      host, port: 443, servername: hostname, ca: fs.readFileSync(authorities), ALPNProtocols: ['h2'],
    }),
  });
  session.on('remoteSettings', () => {
    for (const path of paths) {
      const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': path }, { endStream: false });
      stream.on('response', () => stream.write(frame(1, Buffer.from('hello'), true)));
      stream.on('data', (bytes) => { if ((bytes[0] & 0x0f) === 8) stream.end(frame(8, GOING_AWAY, true)); });
      stream.on('error', () => {});
    }
  });
  setTimeout(() => session.destroy(), 1000);
}
