// Node's own HTTP server with a short idle timeout: node idle-server.js ADDRESS PORT MILLISECONDS
//
// Node closes an idle connection about a second after keepAliveTimeout has passed.
const http = require('http');
const [address, port, idle] = process.argv.slice(2);
const server = http.createServer((request, response) => response.end('hello\n'));
server.keepAliveTimeout = Number(idle);
server.listen(Number(port), address);
