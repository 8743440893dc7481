/**
 * The least that a durable hop costs: one Cassandra write (the same row and columns as this package writes) and one Redis
 * script that accepts it, with the bare drivers. Nothing is consumed, nothing is produced, and no
 * run is started or ended, unless whole runs are asked for, or chains one after the other.
 */
import { createRequire } from 'node:module';
import { Fleet } from '../fleet.mjs';
import { median } from '../statistics.mjs';
import { ADDRESSES, cassandraOptions } from '../settings.mjs';
import { floorRuns, RUN_TABLES } from './floor-run.mjs';
import { removeKeys } from './flowcraft-kafka.mjs';

const require = createRequire(new URL('../../package.json', import.meta.url));
const { Client } = require('cassandra-driver');
const { Redis } = require('ioredis');

/** Accepts a claimed turn, counts an arrival, and claims what follows. */
const SETTLE = `
local hash, turn, token, next = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local state = redis.call('HMGET', hash, 'x', 'd:' .. turn, 'c:' .. turn)
if state[1] then return {'closed'} end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000000 + time[2])
redis.call('HSET', hash, 'd:' .. turn, token, 'c:' .. next, now)
redis.call('PEXPIRE', hash, 604800000)
return {'accepted', next, now}`;

export const title = 'floor (bare drivers)';
export const durability = 'Cassandra commit log, Redis as accelerator';

export async function open({ name }) {
  const cassandra = new Client({ ...cassandraOptions(), queryOptions: { isIdempotent: true, prepare: true } });
  await cassandra.connect();
  await cassandra.execute(
    `CREATE KEYSPACE ${name} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
  );
  await cassandra.execute(
    `CREATE TABLE ${name}.turns (runid text, node_id text, turn text, fencing_token bigint, status text, action text, worker text, attempts int, claims int, started_at timestamp, ended_at timestamp, error text, detail text, output text, PRIMARY KEY ((runid), node_id, turn))`,
  );
  await cassandra.execute(
    `CREATE TABLE ${name}.vals (runid text, key text, deleted boolean, is_ref boolean, value text, PRIMARY KEY ((runid), key))`,
  );
  for (const [table, columns] of Object.entries(RUN_TABLES))
    await cassandra.execute(`CREATE TABLE ${name}.${table} (${columns})`);
  await cassandra.shutdown();
  const fleet = await Fleet.start('floor', { name });
  return {
    fleet,
    hops: (request) => fleet.call('hops', request),
    hopsOneByOne: (request) => fleet.call('hopsOneByOne', request),
    async close() {
      await fleet.stop();
      const other = new Client({ ...cassandraOptions(), socketOptions: { readTimeout: 60_000 } });
      await other.connect();
      await other.execute(`DROP KEYSPACE ${name}`);
      await other.shutdown();
      await removeKeys(new Redis(ADDRESSES.redis), name);
    },
  };
}

export async function startWorker({ name }) {
  const cassandra = new Client({ ...cassandraOptions(), queryOptions: { isIdempotent: true, prepare: true } });
  await cassandra.connect();
  const redis = new Redis(ADDRESSES.redis, { enableAutoPipelining: true });
  redis.defineCommand('settle', { numberOfKeys: 1, lua: SETTLE });
  const turns = `INSERT INTO ${name}.turns (runid, node_id, turn, fencing_token, status, action, worker, attempts, claims, started_at, ended_at, error, detail, output) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?`;
  const gives = ['_outputs.n0', '_inputs.n1'];
  const detail = JSON.stringify({ passes: [], taken: ['n1'], writes: [], inputsWritten: ['_inputs.n1'], gives });
  let run = 0;
  const hop = async (runId, i, output) => {
    const stamp = String(Date.now() * 1000);
    const row = [
      runId,
      `n${i}`,
      '1',
      stamp,
      'completed',
      '',
      'worker',
      1,
      1,
      Date.now(),
      Date.now(),
      '',
      detail,
      output,
    ];
    await cassandra.execute(turns, [...row, stamp], { prepare: true });
    await redis.settle(`${name}:{${runId}}`, `n${i}\u001f1`, stamp, `n${i + 1}\u001f1`);
  };
  const whole = floorRuns(cassandra, redis, name);
  const chain = async (length, output, isWhole) => {
    const runId = `r${process.pid}_${++run}`;
    if (isWhole) await whole.begin(runId);
    const start = performance.now();
    for (let i = 0; i < length; i++) await hop(runId, i, output);
    const hopsMs = performance.now() - start;
    if (isWhole) await whole.end(runId, Object.fromEntries(Array.from({ length }, (_, i) => [`n${i}`, 1])));
    return hopsMs;
  };
  /** Chains at once. */
  const hops = async ({ runs, length, bytes = 1, isWhole = false }) => {
    const output = JSON.stringify({ v: 'x'.repeat(bytes) });
    const [start, cpu] = [performance.now(), process.cpuUsage()];
    await Promise.all(Array.from({ length: runs }, () => chain(length, output, isWhole)));
    const used = process.cpuUsage(cpu);
    return { ms: performance.now() - start, hops: runs * length, cpuMicros: used.user + used.system };
  };
  /** Chains one after the other, and the time of their hops alone. */
  const hopsOneByOne = async ({ runs, length, bytes = 1 }) => {
    const output = JSON.stringify({ v: 'x'.repeat(bytes) });
    const spans = [];
    for (let i = 0; i < runs; i++) spans.push(await chain(length, output, true));
    return { msOfHop: median(spans) / length };
  };
  await hops({ runs: 64, length: 20 });
  return Object.assign(
    async () => {
      await cassandra.shutdown();
      redis.disconnect();
    },
    { commands: { hops, hopsOneByOne } },
  );
}
