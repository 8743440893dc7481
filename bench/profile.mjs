/**
 * Where a hop's time goes: client CPU by part, requests, statements and bytes, over chains of 10 that run at once.
 *
 *   npm run bench:profile -- [--graph chain|fan|join] [--runs 300] [--rounds 5] [--concurrency 64] [--emit-delay 0] [--top 40] [--out file.json]
 */
import { writeReport } from './report-file.mjs';
import { parseArgs } from 'node:util';
import { chain, fan, join } from './graphs.mjs';
import { describeMachine, loadNow } from './machine.mjs';
import { partsOf } from './profile-parts.mjs';
import { serverCpu, since } from './servers.mjs';
import { uniqueName } from './settings.mjs';
import { median } from './statistics.mjs';
import { open } from './systems/flowcraft-kafka.mjs';

const { values: flags } = parseArgs({
  options: {
    graph: { type: 'string', default: 'chain' },
    runs: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    concurrency: { type: 'string' },
    'emit-delay': { type: 'string' },
    top: { type: 'string', default: '0' },
    out: { type: 'string', default: '.build/profile.json' },
  },
});
if (!/^(chain(-[1-9]\d*)?|fan|join)$/.test(flags.graph)) {
  console.error(`There is no graph '${flags.graph}', but: chain, chain-<length>, fan, join.`);
  process.exit(1);
}
const GRAPHS = { fan: () => fan(100), join: () => join(20, { kind: 'delay', ms: 50 }) };
const graph = GRAPHS[flags.graph]?.() ?? chain(Number(flags.graph.split('-')[1] ?? 10));
const runs = Number(flags.runs ?? (flags.graph in GRAPHS ? 20 : 300));
const concurrency = flags.concurrency === undefined ? {} : { concurrency: Number(flags.concurrency) };
const emitDelay = flags['emit-delay'] === undefined ? {} : { emitDelayMs: Number(flags['emit-delay']) };
const system = await open({ name: uniqueName(), count: true, ...concurrency, ...emitDelay });

async function flood() {
  await system.fleet.stamps();
  await system.fleet.ask('counts');
  const [servers, own] = [await serverCpu(), process.cpuUsage()];
  const [start, cpu] = [performance.now(), await system.fleet.cpu()];
  await Promise.all(Array.from({ length: runs }, () => system.run(graph)));
  const ms = performance.now() - start;
  const client = process.cpuUsage(own);
  const micros = (await system.fleet.cpu()) - cpu;
  const { executed } = await system.fleet.stamps();
  const [counts] = await system.fleet.ask('counts');
  const elsewhere = { client: client.user + client.system, ...since(servers, await serverCpu()) };
  return { ms, micros, executed, counts, elsewhere };
}

for (let i = 0; i < 3; i++) await flood();
const plain = [];
for (let i = 0; i < Number(flags.rounds); i++) plain.push(await flood());
await system.fleet.call('startProfile');
const profiled = [];
for (let i = 0; i < Number(flags.rounds); i++) profiled.push(await flood());
const { parts, functions } = partsOf(await system.fleet.call('stopProfile'));
await system.close();

const sum = (list, of) => list.reduce((total, item) => total + of(item), 0);
const cpuPerNode = median(plain.map(({ micros, executed }) => micros / executed));
// a profile counts time, in which a busy machine may have run something else: scaled to the CPU that was used
const busy = sum(
  parts.filter(([name]) => name !== 'idle'),
  ([, micros]) => micros,
);
const perNode = (micros) => (micros / busy) * cpuPerNode;
const nodes = sum(plain, ({ executed }) => executed);
const names = [...new Set(plain.flatMap(({ counts }) => Object.keys(counts)))].sort();
const report = {
  at: new Date().toISOString(),
  graph: graph.id,
  runs,
  ...concurrency,
  ...emitDelay,
  load: loadNow(),
  machine: await describeMachine(),
  nodesPerSecond: median(plain.map(({ ms, executed }) => (executed / ms) * 1000)),
  cpuMicrosPerNode: cpuPerNode,
  /** Client process and servers. */
  elsewhereMicrosPerNode: Object.keys(plain[0].elsewhere).map((name) => [
    name,
    sum(plain, ({ elsewhere }) => elsewhere[name]) / nodes,
  ]),
  parts: parts.filter(([name]) => name !== 'idle').map(([name, micros]) => [name, perNode(micros)]),
  perNode: names.map((name) => [name, sum(plain, ({ counts }) => counts[name] ?? 0) / nodes]),
};
console.log(
  `${Math.round(report.nodesPerSecond)} nodes/s, ${cpuPerNode.toFixed(0)} us of worker CPU a node (load ${report.load.toFixed(1)})`,
);
for (const [name, micros] of report.elsewhereMicrosPerNode)
  console.log(`${micros.toFixed(1).padStart(8)} us  in ${name}`);
for (const [name, micros] of report.parts) console.log(`${micros.toFixed(1).padStart(8)} us  ${name}`);
for (const [name, count] of report.perNode)
  console.log(`${count.toFixed(count >= 10 ? 0 : 3).padStart(8)}     ${name}`);
for (const [name, micros] of functions.slice(0, Number(flags.top)))
  console.log(`${perNode(micros).toFixed(1).padStart(8)} us  ${name}`);
await writeReport(flags.out, report);
process.exit(0);
