// Asks for every response of responses.py with one of Node's libraries: client.js LIBRARY BASE COUNT MODULES. A line of
// JSON for each: its number, what came (status and bytes), or the error with its causes.
'use strict';
const [library, base, count, modules] = process.argv.slice(2);
const http = require('http');
const load = (name) => require(require.resolve(name, { paths: [modules] }));
const agent = () => new http.Agent({ keepAlive: true });

function told(error) {
  const lines = [], seen = new Set();
  for (let it = error; it && typeof it === 'object' && !seen.has(it); it = it.cause) {
    seen.add(it);
    lines.push(`${it.name}: ${it.message} code=${it.code}` + (it.reason !== undefined ? ` reason=${it.reason}` : ''));
  }
  return lines;
}

function viaHttp(url) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { agent: agent() }, (response) => {
      let bytes = 0;
      response.on('data', (data) => { bytes += data.length; });
      response.on('error', reject);
      response.on('end', () => resolve([response.statusCode, bytes]));
    });
    request.setTimeout(4000, () => request.destroy(new Error('client timeout')));
    request.on('error', reject);
    request.on('upgrade', (response, socket) => { socket.destroy(); resolve([response.statusCode, 0]); });
    request.end();
  });
}

const once = {
  http: viaHttp,
  fetch: async (url) => {
    const it = await fetch(url, { signal: AbortSignal.timeout(4000), redirect: 'manual' });
    return [it.status, (await it.arrayBuffer()).byteLength];
  },
  axios: async (url) => {
    const it = await load('axios').request({ url, timeout: 4000, proxy: false, responseType: 'arraybuffer', validateStatus: () => true, httpAgent: agent() });
    return [it.status, it.data.length];
  },
  got: async (url) => {
    const { got } = await import(require('url').pathToFileURL(modules + '/node_modules/got/dist/source/index.js'));
    const it = await got(url, { timeout: { request: 4000 }, retry: { limit: 0 }, throwHttpErrors: false, followRedirect: false, agent: { http: agent() }, responseType: 'buffer' });
    return [it.statusCode, it.rawBody.length];
  },
  undici: async (url) => {
    const it = await load('undici').request(url, { headersTimeout: 4000, bodyTimeout: 4000 });
    return [it.statusCode, (await it.body.arrayBuffer()).byteLength];
  },
  'node-fetch': async (url) => {
    const it = await load('node-fetch')(url, { timeout: 4000, agent: agent() });
    return [it.status, (await it.buffer()).length];
  },
}[library];

let late = [];
process.on('uncaughtException', (error) => late.push(...told(error).map((it) => `uncaught ${it}`)));
(async () => {
  for (let i = 0; i < +count; i += 1) {
    late = [];
    let ok = null, lines = [];
    try {
      const hang = new Promise((_, reject) => setTimeout(() => reject(new Error('client timeout')), 5000));
      ok = await Promise.race([once(base + i), hang]);
      await new Promise((resolve) => setImmediate(resolve));
    } catch (error) {
      lines = told(error);
    }
    console.log(JSON.stringify({ i, ok, lines: lines.concat(late) }));
  }
  process.exit(0);
})();
