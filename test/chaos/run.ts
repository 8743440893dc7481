// `npm run chaos -- --minutes N --seed S [--workers K] [--rate R]`: a fleet on servers of its own under constant load and
// constant faults, then the verdict. Exit code 1 if anything was lost, stuck, doubled or wrong.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { FLOWCRAFT_DRIVERS, FlowcraftClient, type Drivers, type Logger } from '../../src/index.js';
import { openApplication } from './application.js';
import { check } from './checker.js';
import { Storm } from './faults.js';
import { Fleet } from './fleet.js';
import { Load } from './load.js';
import { registryOf } from './nodes.js';
import { readNotes } from './notes.js';
import { Random } from './random.js';
import { isGood, outcomeOf, table, type Round } from './report.js';
import { Lines, Servers } from './servers.js';

const STORM_MS = 50_000;
const CALM_MS = 60_000;
const LAST_CALM_MS = 120_000;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    seed: { type: 'string', default: String(Math.floor(Date.now() / 1000) % 100_000) },
    workers: { type: 'string', default: '3' },
    rate: { type: 'string', default: '2' },
    gap: { type: 'string', default: '900' },
    stalled: { type: 'string', default: '30' },
  },
});
const [minutes, seed, workers, rate, gap] = [values.minutes, values.seed, values.workers, values.rate, values.gap].map(
  Number,
) as [number, number, number, number, number];

const started = Date.now();
const name = `chaos_${seed}_${started.toString(36)}`;
const directory = path.resolve(process.env['CHAOS_STACK_DIR'] ?? '.stack/chaos', 'runs', name);
mkdirSync(directory, { recursive: true });
const say = (text: string) => console.log(`${((Date.now() - started) / 1000).toFixed(0).padStart(5)} s  ${text}`);
say(`seed ${seed}, ${minutes} minutes, ${workers} workers, ${rate} runs/s; notes in ${directory}`);

const random = new Random(seed);
const servers = new Servers(process.env);
await servers.up();
await servers.redis.flushall();
say('servers are up');

const common = {
  directory,
  topic: name,
  keyspace: name,
  prefix: name,
  broker: servers.broker,
  stalledThresholdSeconds: Number(values.stalled),
};
const clientLines = await Lines.open(servers.ports);
const silent: Logger = { debug: () => {}, log: () => {}, warn: () => {}, error: () => {} };
const setup = { ...common, name: 'client', seed: 0, ports: clientLines.ports, takesJobs: false };
const idle = { started: () => {}, finished: () => {}, nonce: () => '', random: () => 0 };
const app = await openApplication(setup, registryOf(idle), silent);
const fleet = new Fleet(common, servers, random.fork());
for (let i = 0; i < workers; i++) await fleet.addSeat();
await fleet.untilReady();
say('workers are up');

const load = new Load(app.get(FlowcraftClient), fleet, random.fork(), rate, name.replaceAll('_', '-'));
const storm = new Storm(fleet, servers, clientLines, random.fork(), gap, name);
const rounds: Round[] = [];
const end = Date.now() + minutes * 60_000;
do {
  load.begin();
  await sleep(2000);
  await storm.rage(Math.min(STORM_MS, Math.max(10_000, end - Date.now() - 20_000)));
  await load.pause();
  const calmAt = Date.now();
  const caught = load.unfinished;
  const isLast = Date.now() >= end - 30_000;
  await load.untilFinished(isLast ? LAST_CALM_MS : CALM_MS);
  const ended = caught.filter((run) => !run.flow.isLong && run.endedAt !== undefined);
  const lateAfterMs = ended.map(({ endedAt = calmAt }) => endedAt - calmAt);
  rounds.push({ calmAt, caught: caught.length, lateAfterMs });
  say(
    `${storm.faults.length} faults, ${load.runs.length} runs; ${caught.length} open when the storm was over, the last ended after ${Math.max(0, ...lateAfterMs)} ms, ${load.unfinished.length} have not`,
  );
} while (Date.now() < end);
load.answerLeft();
await load.untilFinished(LAST_CALM_MS);
const deadLetters = await countDeadLetters();
await load.close();
const client = app.get(FlowcraftClient);
for (const run of load.unfinished.slice(0, 10)) {
  const description = await client.getRun(run.runId).catch((error: unknown) => String(error));
  const state = await servers.redis.hgetall(`${name}:{${run.runId}}`).catch((error: unknown) => String(error));
  writeFileSync(path.join(directory, `stuck-${run.runId}.json`), JSON.stringify({ description, state }, undefined, 2));
}
await fleet.stop();

const notes = readNotes(directory);
const { store } = app.get<Drivers>(FLOWCRAFT_DRIVERS);
const violations = await check(load.runs, notes, store);
const { faults } = storm;
const { deaths, surprises } = fleet;
const outcome = outcomeOf({
  seed,
  minutes,
  runs: load.runs,
  faults,
  deaths,
  rounds,
  notes,
  violations,
  deadLetters,
  surprises,
});
writeFileSync(
  path.join(directory, 'report.json'),
  JSON.stringify({ ...outcome, surprises, faultList: faults, rounds }, undefined, 2),
);
console.log(table(outcome));
await app.close();
await clientLines.close();
await servers.down();
process.exit(isGood(outcome) ? 0 : 1);

async function countDeadLetters(): Promise<number> {
  const admin = new Kafka({ brokers: [servers.broker], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(`${name}.dead`);
  await admin.disconnect();
  return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
}
