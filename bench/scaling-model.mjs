/**
 * What a fleet needs for a rate of nodes, from the measured costs of a node. Writes the tables of docs/scaling.md, or
 * checks that they are what it calculates.
 *
 *   npm run bench:scaling [-- --check]
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';

export const RATES = [1, 100, 10_000];

/** What is assumed beside the costs. Every one of them is a line in the document. */
export const ASSUMPTIONS = {
  nodesPerRun: 10,
  /** Copies of each row, each of which a server has to write. */
  cassandraReplicas: 3,
  kafkaReplicas: 3,
  /** Of what a core can do, so that peaks and compaction find room. */
  utilization: 0.5,
  coresPerServer: 8,
  outputBytes: 1_000,
  kafkaRetentionDays: 3,
  /** The ledger of a run that has ended is kept for so long. */
  endedSeconds: 3600,
  ledgerBytesPerNode: 250,
};

/** Columns of one node's rows beside its output: journal row, two context rows, their cells' stamps. */
const ROW_BYTES = 700;
const MESSAGE_BYTES = 200;
const INDEX_ROW_BYTES = 90;
const INDEX_SHARDS = 8;
/** One row of a settled turn is small; Cassandra works best with partitions up to this. */
export const PARTITION_BYTES = 100e6;
const DAY_SECONDS = 86_400;

/** @param costs microseconds of CPU a node: worker, client, kafka, cassandra, redis */
export function needs(rate, costs, a = ASSUMPTIONS) {
  const cores = (micros, copies = 1) => (rate * micros * copies) / 1e6 / a.utilization;
  const servers = (n) => Math.max(1, Math.ceil(n / a.coresPerServer));
  const workers = Math.max(1, Math.ceil(cores(costs.worker)));
  const runsPerSecond = rate / a.nodesPerRun;
  return {
    rate,
    runsPerSecond,
    workers,
    partitions: Math.max(12, Math.ceil((workers * 4) / 12) * 12),
    cassandraCores: cores(costs.cassandra, a.cassandraReplicas),
    cassandraServers: Math.max(a.cassandraReplicas, servers(cores(costs.cassandra, a.cassandraReplicas))),
    redisShards: Math.max(1, Math.ceil(cores(costs.redis))),
    redisBytes: runsPerSecond * a.endedSeconds * a.nodesPerRun * a.ledgerBytesPerNode,
    kafkaServers: Math.max(a.kafkaReplicas, servers(cores(costs.kafka, a.kafkaReplicas))),
    kafkaBytes: rate * MESSAGE_BYTES * DAY_SECONDS * a.kafkaRetentionDays * a.kafkaReplicas,
    cassandraBytesPerDay: rate * (ROW_BYTES + a.outputBytes) * DAY_SECONDS * a.cassandraReplicas,
    indexPartitionBytes: (runsPerSecond * DAY_SECONDS * INDEX_ROW_BYTES) / INDEX_SHARDS,
  };
}

/** What one run can do at most, however large the fleet is. */
export function hotRun(costs, a = ASSUMPTIONS) {
  return {
    /** Its ledger is one key: one thread of one Redis server. */
    settlesPerSecond: 1e6 / costs.redisBranch,
    /** Its rows are one partition. */
    nodesUntilLargePartition: Math.floor(PARTITION_BYTES / (ROW_BYTES + a.outputBytes)),
    /** Its messages are on one partition of the topic, so one process executes it (items of batches excepted). */
    nodesPerSecondInOneWorker: 1e6 / costs.worker,
  };
}

export function tables(costs) {
  const all = RATES.map((rate) => needs(rate, costs));
  const row = (name, of) => `| ${name} | ${all.map(of).join(' | ')} |`;
  const hot = hotRun(costs);
  return [
    `| nodes a second | ${RATES.map((r) => count(r)).join(' | ')} |`,
    `| --- | ${RATES.map(() => '--:').join(' | ')} |`,
    row('runs a second', (n) => count(n.runsPerSecond)),
    row('worker processes, a core each', (n) => count(n.workers)),
    row('partitions of the jobs topic', (n) => count(n.partitions)),
    row('Cassandra servers', (n) => `${count(n.cassandraServers)} (${n.cassandraCores.toFixed(1)} cores)`),
    row('data a day in Cassandra, all copies', (n) => bytes(n.cassandraBytesPerDay)),
    row('largest partition of `run_index`', (n) => bytes(n.indexPartitionBytes)),
    row('Redis shards', (n) => count(n.redisShards)),
    row('memory of Redis for runs that have ended', (n) => bytes(n.redisBytes)),
    row('Kafka brokers', (n) => count(n.kafkaServers)),
    row('jobs topic on disk, all copies', (n) => bytes(n.kafkaBytes)),
    '',
    '| one run | at most | because |',
    '| --- | --: | --- |',
    `| nodes a second, in one worker | ${count(hot.nodesPerSecondInOneWorker)} | its messages are in one partition of the topic |`,
    `| nodes a second, batch over the fleet | ${count(hot.settlesPerSecond)} | its ledger is one key of one Redis server |`,
    `| nodes with ${bytes(ASSUMPTIONS.outputBytes)} of output | ${count(hot.nodesUntilLargePartition)} | its rows are one partition of Cassandra, good up to ${bytes(PARTITION_BYTES)} |`,
  ];
}

function count(n) {
  if (n < 10) return String(Number(n.toFixed(1)));
  return String(Number(n.toPrecision(3))).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

function bytes(n) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const unit = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(n, 1)) / 3)));
  return `${Number((n / 1000 ** unit).toPrecision(3))} ${units[unit]}`;
}

const START = '<!-- calculated by bench/scaling-model.mjs -->';
const END = '<!-- end -->';

/** Microseconds of CPU a node in chains; `redisBranch`: what Redis does for one of many branches, as an item of a batch is one. */
export async function costsOf(folder = path.join(import.meta.dirname, 'results')) {
  const [chains, fans] = await Promise.all(
    ['profile', 'profile-fan'].map(async (name) =>
      JSON.parse(await readFile(path.join(folder, `${name}.json`), 'utf8')),
    ),
  );
  const redisOf = ({ elsewhereMicrosPerNode }) => Object.fromEntries(elsewhereMicrosPerNode).redis;
  const { kafka, cassandra, client } = Object.fromEntries(chains.elsewhereMicrosPerNode);
  return {
    worker: chains.cpuMicrosPerNode,
    client,
    kafka,
    cassandra,
    redis: redisOf(chains),
    redisBranch: redisOf(fans),
  };
}

/** The document with its tables as they are calculated. */
export function filled(text, costs) {
  const [from, to] = [text.indexOf(START), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error('docs/scaling.md has no place for its tables.');
  return `${text.slice(0, from)}${START}\n\n${tables(costs).join('\n')}\n\n${text.slice(to)}`;
}

if (import.meta.filename === process.argv[1]) {
  const { values: flags } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
  const file = path.join(import.meta.dirname, '..', 'docs', 'scaling.md');
  const before = await readFile(file, 'utf8');
  const after = filled(before, await costsOf());
  const squeeze = (text) => text.replace(/ +/g, ' ').replace(/-{2,}/g, '---');
  const same = squeeze(after) === squeeze(before);
  if (flags.check && !same)
    throw new Error('docs/scaling.md is not what the model calculates. Run npm run bench:scaling.');
  if (!flags.check && !same) await writeFile(file, after);
  for (const line of tables(await costsOf())) console.log(line);
}
