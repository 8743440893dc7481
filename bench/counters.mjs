/** Counts what a process asks the servers for, by patching the prototypes of the drivers that the package uses. */
import { createRequire } from 'node:module';
import net from 'node:net';
import { ADDRESSES } from './settings.mjs';

const require = createRequire(new URL('../package.json', import.meta.url));
const counts = {};
const count = (name, by = 1) => {
  counts[name] = (counts[name] ?? 0) + by;
};
const sockets = new Set();

export function countRequests() {
  const { Client } = require('cassandra-driver');
  const { Redis } = require('ioredis');
  const Broker = require('kafkajs/src/network/connection');
  const countBatch = (statements) => {
    count('cassandra batches');
    count('cassandra statements in batches', statements);
  };
  patch(Client.prototype, 'batch', (queries) => countBatch(queries.length));
  patch(Client.prototype, 'execute', (query) => {
    if (query.startsWith('BEGIN BATCH')) return countBatch(query.split(';').length - 1);
    const isLightweight = / IF /.test(query);
    count(
      query.startsWith('SELECT')
        ? 'cassandra reads'
        : isLightweight
          ? 'cassandra lightweight transactions'
          : 'cassandra writes',
    );
  });
  patch(Redis.prototype, 'sendCommand', ({ name }) => count(/^eval/.test(name) ? 'redis scripts' : `redis ${name}`));
  patch(Broker.prototype, 'send', ({ request }) => count(`kafka ${request.apiName}`));
  patch(net.Socket.prototype, 'connect', function () {
    sockets.add(this);
  });
}

/** Counts since the last call; bytes by server since then too. */
export function takeCounts() {
  const taken = { ...counts };
  for (const name of Object.keys(counts)) delete counts[name];
  for (const socket of sockets) {
    const server = serverOf(socket.remotePort);
    const { bytesWritten = 0, bytesRead = 0 } = socket;
    const [written, read] = socket.counted ?? [0, 0];
    socket.counted = [bytesWritten, bytesRead];
    if (!server) continue;
    taken[`${server} bytes sent`] = (taken[`${server} bytes sent`] ?? 0) + bytesWritten - written;
    taken[`${server} bytes received`] = (taken[`${server} bytes received`] ?? 0) + bytesRead - read;
  }
  return taken;
}

function serverOf(port) {
  const ports = {
    kafka: Number(ADDRESSES.kafka.split(':')[1]),
    cassandra: Number(ADDRESSES.cassandra.split(':')[1]),
    redis: Number(new URL(ADDRESSES.redis).port || 6379),
  };
  return Object.keys(ports).find((name) => ports[name] === port);
}

function patch(prototype, method, before) {
  const original = prototype[method];
  prototype[method] = function (...args) {
    before.apply(this, args);
    return original.apply(this, args);
  };
}
