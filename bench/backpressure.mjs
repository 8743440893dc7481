/**
 * Submits runs while no worker is there, then starts one with little memory, and watches it until all have ended.
 *
 *   npm run bench:backpressure -- [--runs 50000] [--nodes 2] [--heap 256] [--out file.json]
 *
 * Ends with an error if a run is missing, or the worker is lost.
 */
import { writeReport } from './report-file.mjs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { chain } from './graphs.mjs';
import { describeMachine, loadNow } from './machine.mjs';
import { uniqueName } from './settings.mjs';
import { open } from './systems/flowcraft-kafka.mjs';

const STARTS_AT_ONCE = 200;

const { values: flags } = parseArgs({
  options: {
    runs: { type: 'string', default: '50000' },
    nodes: { type: 'string', default: '2' },
    heap: { type: 'string', default: '256' },
    out: { type: 'string' },
  },
});
const runs = Number(flags.runs);
const graph = chain(Number(flags.nodes));
const expected = runs * graph.nodes.length;
const graphs = [graph];
const system = await open({ name: uniqueName(), graphs, startFleet: false });

const submitted = performance.now();
let started = 0;
const submit = async () => {
  while (started < runs) {
    started++;
    await system.client.start(graph.id);
  }
};
await Promise.all(Array.from({ length: STARTS_AT_ONCE }, submit));
const submitSeconds = (performance.now() - submitted) / 1000;
console.log(`${runs} runs submitted in ${submitSeconds.toFixed(0)} s`);

await system.resize(1, { execArgv: [`--max-old-space-size=${flags.heap}`] });
const began = performance.now();
let executed = 0;
let quietSince = began;
const samples = [];
while (executed < expected) {
  await sleep(1000);
  const more = (await system.fleet.stamps()).executed;
  executed += more;
  const [{ memory }] = await system.fleet.ask('usage');
  samples.push({ executed, heapMegabytes: memory.heapUsed / 1e6, residentMegabytes: memory.rss / 1e6 });
  if (more > 0) quietSince = performance.now();
  if (performance.now() - quietSince > 60_000) throw new Error(`Only ${executed} of ${expected} nodes were executed.`);
  if (samples.length % 10 === 0) console.log(JSON.stringify(samples.at(-1)));
}
const seconds = (performance.now() - began) / 1000;
const statuses = await endStatuses();
const report = {
  at: new Date().toISOString(),
  machine: await describeMachine(),
  load: loadNow(),
  runs,
  nodes: executed,
  executedTwice: executed - expected,
  heapLimitMegabytes: Number(flags.heap),
  submitSeconds,
  seconds,
  nodesPerSecond: executed / seconds,
  /** Of the last runs that were submitted, by status. */
  statuses,
  mostHeapMegabytes: Math.max(...samples.map((s) => s.heapMegabytes)),
  mostResidentMegabytes: Math.max(...samples.map((s) => s.residentMegabytes)),
  samples: samples.filter((_, i) => i % Math.ceil(samples.length / 20) === 0),
};
await system.close();
if (flags.out) await writeReport(flags.out, report);
console.log(JSON.stringify({ ...report, machine: undefined, samples: undefined }));
process.exit(Object.keys(statuses).join() === 'completed' ? 0 : 1);

/** The last ends are written just after the last node was executed. */
async function endStatuses() {
  for (let tries = 0; ; tries++) {
    const { runs: listed } = await system.client.listRuns({ limit: 500 });
    const found = {};
    for (const { status } of listed) found[status] = (found[status] ?? 0) + 1;
    if (!found.running || tries === 20) return found;
    await sleep(500);
  }
}
