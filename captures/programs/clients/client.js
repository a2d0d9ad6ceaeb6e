// A client on one of Node's libraries; see README.md for its arguments.
'use strict';
const [lib, url, method, timeoutText, repeat, intervalText, sizeText, ca] = process.argv.slice(2);
const timeout = +timeoutText, interval = +intervalText, size = +sizeText;
const fs = require('fs');
const body = method === 'POST' ? Buffer.alloc(size, 'x') : undefined;
const from = process.env.CLIENT_MODULES;
const load = (name) => require(require.resolve(name, { paths: [from] }));
const pem = ca === '-' ? undefined : fs.readFileSync(ca);
const http = require('http'), https = require('https');
const secure = url.startsWith('https');
const keylog = process.env.SSLKEYLOGFILE;
function agent(keepAlive) {
  const made = secure ? new https.Agent({ keepAlive, ca: pem }) : new http.Agent({ keepAlive });
  if (keylog) made.on('keylog', (line) => fs.appendFileSync(keylog, line));
  return made;
}
function told(error, where) {
  const seen = new Set();
  for (let it = error; it && typeof it === 'object' && !seen.has(it); it = it.cause) {
    seen.add(it);
    let more = where && it === error ? ` where=${where}` : '';
    if (it.reason !== undefined) more += ` reason=${it.reason}`;
    console.log(`ERR ${it.constructor.name === 'DOMException' ? 'DOMException' : it.name}: ${String(it.message).replace(/\n/g, '\\n')} code=${it.code} errno=${it.errno} syscall=${it.syscall}${more}`);
    for (const one of it.errors || []) console.log(`ERR   of several: ${one.name}: ${one.message} code=${one.code}`);
  }
}
function viaHttp(kept) {
  return new Promise((resolve, reject) => {
    const lib = secure ? https : http;
    const headers = body ? { 'Content-Length': size } : {};
    let where = 'request';
    const fail = (error) => { error.where = where; reject(error); };
    const request = lib.request(url, { method, agent: kept, headers }, (response) => {
      where = 'response';
      let n = 0;
      response.on('data', (data) => { n += data.length; });
      response.on('aborted', () => console.log('event=aborted'));
      response.on('error', fail);
      response.on('end', () => resolve([response.statusCode, n]));
    });
    request.setTimeout(timeout, () => request.destroy(new Error(`client timeout ${timeout / 1000}s`)));
    request.on('error', fail);
    request.on('upgrade', (response, socket) => { socket.destroy(); resolve([response.statusCode, 0]); });
    request.end(body);
  });
}
async function make() {
  const signal = () => AbortSignal.timeout(timeout);
  switch (lib) {
    case 'http': { const kept = agent(true); return () => viaHttp(kept); }
    case 'http-close': { const kept = agent(false); return () => viaHttp(kept); }
    case 'fetch': return async () => { const it = await fetch(url, { method, body, signal: signal() }); return [it.status, (await it.arrayBuffer()).byteLength]; };
    case 'undici': {
      const undici = load('undici');
      const pool = new undici.Agent({ connect: { ca: pem, timeout } });
      return async () => { const it = await undici.request(url, { method, body, dispatcher: pool, headersTimeout: timeout, bodyTimeout: timeout }); return [it.statusCode, (await it.body.arrayBuffer()).byteLength]; };
    }
    case 'axios': {
      const axios = load('axios');
      const kept = agent(true);
      return async () => { const it = await axios.request({ url, method, data: body, timeout, httpAgent: kept, httpsAgent: kept, proxy: false, responseType: 'arraybuffer' }); return [it.status, it.data.length]; };
    }
    case 'node-fetch': {
      const fetch = load('node-fetch');
      const kept = agent(true);
      return async () => { const it = await fetch(url, { method, body, agent: kept, timeout }); return [it.status, (await it.buffer()).length]; };
    }
    case 'got': {
      const got = (await import(require('url').pathToFileURL(from + '/node_modules/got/dist/source/index.js'))).default;
      const kept = agent(true);
      return async () => { const it = await got(url, { method, body, timeout: { request: timeout }, retry: { limit: 0 }, agent: { http: kept, https: kept }, https: { certificateAuthority: pem }, responseType: 'buffer' }); return [it.statusCode, it.rawBody.length]; };
    }
    case 'superagent': {
      const superagent = load('superagent');
      const kept = agent(true);
      return async () => { const it = await superagent(method, url).timeout(timeout).agent(kept).buffer(true).parse((r, f) => { let n = 0; r.on('data', (d) => { n += d.length; }); r.on('end', () => f(null, n)); }).send(body); return [it.status, it.body]; };
    }
    case 'needle': {
      const needle = load('needle');
      const kept = agent(true);
      return async () => { const it = await needle(method.toLowerCase(), url, body, { timeout, agent: kept, ca: pem }); return [it.statusCode, it.raw.length]; };
    }
    case 'ky': {
      const ky = (await import(require('url').pathToFileURL(from + '/node_modules/ky/distribution/index.js'))).default;
      return async () => { const it = await ky(url, { method, body, timeout, retry: 0 }); return [it.status, (await it.arrayBuffer()).byteLength]; };
    }
    case 'ws': {
      const WebSocket = load('ws');
      return () => new Promise((resolve, reject) => {
        const it = new WebSocket(url.replace('http', 'ws'), { handshakeTimeout: timeout, ca: pem });
        it.on('error', reject);
        it.on('message', (data) => { resolve([101, data.length]); it.close(); });
        it.on('close', (code) => reject(new Error(`closed ${code}`)));
      });
    }
  }
  throw new Error(lib);
}
(async () => {
  const once = await make();
  for (let n = 1; n <= +repeat; n += 1) {
    if (n > 1) await new Promise((resolve) => setTimeout(resolve, interval));
    try {
      const [status, got] = await once();
      console.log(`REQ ${n} OK ${status} ${got}B`);
    } catch (error) {
      told(error, error.where);
      console.log(`REQ ${n} FAILED`);
    }
  }
  process.exit(0);
})();
