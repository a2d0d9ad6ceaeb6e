#!/usr/bin/env node
// One session of a Node client with a server, step by step: client.js DRIVER STEP...
// Steps and environment are those of client.py.
'use strict';
const fs = require('fs');
const env = process.env;
const host = env.HOST || '10.78.0.1';
const port = usual => Number(env.PORT || usual);
const user = env.DBUSER || 'app';
const password = env.PASSWORD ?? 'secret';
const wait = env.TIMEOUT ? Number(env.TIMEOUT) * 1000 : undefined;
const ca = env.CA ? fs.readFileSync(env.CA) : undefined;
const tls = env.TLS ? { ca, rejectUnauthorized: env.TLS !== 'require' } : undefined;

const failed = error => {
  const parts = [error.name, error.code && `[${error.code}]`, error.message].filter(Boolean).join(' ');
  const cause = error.cause ? ` (cause: ${error.cause.code || ''} ${error.cause.message})` : '';
  const inner = error.errors ? ` (errors: ${error.errors.map(e => e.message).join('; ')})` : '';
  console.log(`error: ${parts}${cause}${inner}`);
  process.exit(1);
};

const drivers = {
  async pg() {
    const { Client } = require('pg');
    const client = new Client({
      host, port: port(5432), user, password, database: 'app', ssl: tls, query_timeout: wait, connectionTimeoutMillis: wait,
    });
    client.on('error', error => console.log(`event error: ${error.name} ${error.code || ''} ${error.message}`));
    await client.connect();
    return { query: async text => (await client.query(text)).rowCount, close: () => client.end() };
  },
  async mysql2() {
    const mysql = require('mysql2/promise');
    const client = await mysql.createConnection({
      host, port: port(3306), user, password, database: 'app', ssl: tls, connectTimeout: wait,
    });
    client.on('error', error => console.log(`event error: ${error.name} ${error.code || ''} ${error.message}`));
    return { query: async sql => (await client.query({ sql, timeout: wait }))[0].length, close: () => client.end() };
  },
  async redis() {
    const { createClient } = require('redis');
    const client = createClient({
      socket: { host, port: port(6379), tls: !!tls, ...tls, reconnectStrategy: false, socketTimeout: wait, connectTimeout: wait },
      password: env.PASSWORD || undefined,
    });
    client.on('error', error => console.log(`event error: ${error.name} ${error.code || ''} ${error.message}`));
    await client.connect();
    return { query: text => client.sendCommand(text.split(' ')), close: () => client.quit() };
  },
  async ioredis() {
    const Redis = require('ioredis');
    const client = new Redis({
      host, port: port(6379), tls, password: env.PASSWORD || undefined, lazyConnect: true, retryStrategy: null,
      maxRetriesPerRequest: 0, commandTimeout: wait, connectTimeout: wait, enableOfflineQueue: false,
    });
    client.on('error', error => console.log(`event error: ${error.name} ${error.code || ''} ${error.message}`));
    await client.connect();
    return { query: text => client.call(...text.split(' ')), close: () => client.quit() };
  },
  async mongodb() {
    const { MongoClient } = require('mongodb');
    const client = new MongoClient(`mongodb://${host}:${port(27017)}/`, {
      directConnection: true, retryReads: false, retryWrites: false, socketTimeoutMS: wait, serverSelectionTimeoutMS: wait || 3000,
    });
    const query = async text => {
      const [command, collection] = text.split(' ');
      const more = command === 'insert' ? { documents: [{ _id: 1 }] } : {};
      return (await client.db('app').command({ [command]: collection, ...more })).ok;
    };
    return { query, close: () => client.close() };
  },
  async https() {
    const scheme = env.SCHEME || 'https';
    const http = require(scheme);
    const agent = new http.Agent({ keepAlive: true, ca });
    const query = path => new Promise((done, fail) => {
      const request = http.get({ host, port: port(443), path, agent, timeout: wait }, response => {
        let size = 0;
        response.on('data', data => { size += data.length; });
        response.on('end', () => done(`${response.statusCode}, ${size} bytes`));
        response.on('error', fail);
        response.on('aborted', () => console.log('event aborted'));
      });
      request.on('timeout', () => request.destroy(new Error('timeout')));
      request.on('error', fail);
    });
    return { query, close: () => agent.destroy() };
  },
  async fetch() {
    const query = async path => {
      const response = await fetch(`${env.SCHEME || 'https'}://${host}:${port(443)}${path}`, { signal: wait ? AbortSignal.timeout(wait) : undefined });
      return `${response.status}, ${(await response.arrayBuffer()).byteLength} bytes`;
    };
    return { query, close: () => {} };
  },
  async 'grpc-js'() {
    const grpc = require('@grpc/grpc-js');
    const credentials = env.TLS === 'off' ? grpc.credentials.createInsecure() : grpc.credentials.createSsl(ca);
    const client = new grpc.Client(`${host}:${port(50051)}`, credentials, { 'grpc.enable_retries': 0 });
    const same = bytes => bytes;
    const query = text => new Promise((done, fail) => {
      const [method, words = ''] = text.split(' ');
      const options = wait ? { deadline: Date.now() + wait } : {};
      const call = client.makeServerStreamRequest(`/shop.Orders/${method}`, same, same, Buffer.from(words), new grpc.Metadata(), options);
      let count = 0;
      call.on('data', () => { count += 1; });
      call.on('end', () => done(`${count} messages`));
      call.on('error', fail);
    });
    return { query, close: () => client.close() };
  },
};

(async () => {
  const session = await drivers[process.argv[2]]();
  for (const step of process.argv.slice(3)) {
    if (step.startsWith('@sleep')) await new Promise(done => setTimeout(done, Number(step.split(' ')[1]) * 1000));
    else if (step === '@close') await session.close();
    else if (step === '@leave') process.exit(0);
    else console.log('answer:', await session.query(step));
  }
})().then(() => process.exit(0), failed);
