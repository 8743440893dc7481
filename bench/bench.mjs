/**
 * Measures this package, the bare drivers and other systems on the same servers, in turns.
 *
 *   npm run bench -- [workload ...] [--long] [--rounds 3] [--systems a,b] [--concurrency 64] [--out file.json]
 */
import { writeReport } from './report-file.mjs';
import { parseArgs } from 'node:util';
import { describeMachine, loadNow } from './machine.mjs';
import { uniqueName } from './settings.mjs';
import { median, summary } from './statistics.mjs';
import { printTable } from './table.mjs';
import { untilSteady } from './warm-up.mjs';
import { WORKLOADS } from './workloads.mjs';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    long: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    systems: { type: 'string', default: 'flowcraft-kafka,bullmq,original' },
    concurrency: { type: 'string' },
    out: { type: 'string', default: '.build/bench.json' },
  },
});
const scale = { long: flags.long };
const rounds = Number(flags.rounds ?? (flags.long ? 5 : 3));
const systems = flags.systems.split(',');
const chosen =
  positionals.length === 0
    ? WORKLOADS
    : WORKLOADS.filter(({ id }) => positionals.some((p) => id === p || id.startsWith(`${p}-`)));
if (chosen.length === 0) throw new Error(`No such workload. There are: ${WORKLOADS.map(({ id }) => id).join(', ')}.`);
const concurrency = flags.concurrency === undefined ? {} : { concurrency: Number(flags.concurrency) };

const opened = new Map();
async function systemOf(id) {
  if (!opened.has(id)) {
    const { open } = await import(`./systems/${id}.mjs`);
    opened.set(id, await open({ name: uniqueName(), ...concurrency }));
  }
  return opened.get(id);
}

async function closeOf(id) {
  const system = opened.get(id);
  opened.delete(id);
  await system?.close();
}

/** Servers first: Cassandra and Kafka compile what they do often, and are several times slower until they have. */
async function warmServersUp() {
  const workload = WORKLOADS.find(({ id }) => id === 'w1b');
  const [floor, system] = [await systemOf('floor'), await systemOf('flowcraft-kafka')];
  const round = async () => {
    await workload.floor(floor, scale);
    return measure(workload, system);
  };
  await untilSteady(round, { ...workload, window: 10, mostSeconds: 180 });
}

async function measure(workload, system) {
  const figure = await workload.measure(system, scale);
  await system.tidy?.();
  return figure;
}

async function warmUp(workload, system) {
  if (scale.long) await untilSteady(() => measure(workload, system), workload);
  else await measure(workload, system);
}

/** The original adapter polls without a pause while it is idle, and takes minutes for some workloads: one round, alone. */
const isDue = (id, round) => id !== 'original' || round === 0;

const results = [];
try {
  if (scale.long && systems.includes('flowcraft-kafka')) await warmServersUp();
  for (const workload of chosen) {
    const ids = workload.systems.filter((id) => systems.includes(id));
    const figures = new Map();
    const note = (id, figure) => figures.set(id, [...(figures.get(id) ?? []), figure]);
    const loads = [];
    for (let round = 0; round < rounds; round++) {
      loads.push(loadNow());
      if (workload.floor) note('floor', await workload.floor(await systemOf('floor'), scale));
      for (const id of ids) {
        if (!isDue(id, round)) continue;
        const system = await systemOf(id);
        if (system.resize && system.fleet.pids.length !== (workload.workers ?? 1))
          await system.resize(workload.workers ?? 1);
        if (round === 0 && id !== 'original' && !workload.isCold) await warmUp(workload, system);
        note(id, await measure(workload, system));
        if (id === 'original') await closeOf(id);
      }
    }
    const of = (id) => figures.get(id)?.map(({ value }) => value);
    const ours = of('flowcraft-kafka');
    const ratio = (a, b) => (a && b ? median(a.map((value, i) => value / (b[i] ?? b[0]))) : undefined);
    const result = {
      id: workload.id,
      title: typeof workload.title === 'string' ? workload.title : workload.title(scale),
      unit: workload.unit,
      higherIsBetter: workload.higherIsBetter ?? false,
      load: median(loads),
      systems: Object.fromEntries(
        [...figures].map(([id, list]) => [id, { ...summary(list.map(({ value }) => value)), last: list.at(-1) }]),
      ),
      toFloor: ratio(ours, of('floor')),
      toBullmq: ratio(ours, of('bullmq')),
      toOriginal: ratio(ours, of('original')),
    };
    results.push(result);
    printTable([result], results.length === 1);
  }
} finally {
  for (const id of [...opened.keys()]) await closeOf(id);
}

const report = {
  at: new Date().toISOString(),
  long: flags.long,
  rounds,
  ...concurrency,
  machine: await describeMachine(),
  results,
};
await writeReport(flags.out, report);
console.log(`\nWritten to ${flags.out}`);
process.exit(0);
