/**
 * Measures this package, the bare drivers and other systems on the same servers, in turns.
 *
 *   npm run bench -- [workload ...] [--long] [--rounds 3] [--systems a,b] [--concurrency 64] [--out file.json] [--merge]
 *
 * With `--merge`, workloads that were not measured now keep the results that the file has of them.
 */
import { writeReport } from './report-file.mjs';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { describeMachine, loadNow } from './machine.mjs';
import { CONCURRENCY, uniqueName } from './settings.mjs';
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
    merge: { type: 'boolean', default: false },
  },
});
const scale = { long: flags.long };
const rounds = Number(flags.rounds ?? (flags.long ? 5 : 3));
if (!Number.isInteger(rounds) || rounds < 1) refuse('--rounds takes a whole number, from 1.');
const systems = flags.systems.split(',');
const known = new Set(WORKLOADS.flatMap((workload) => workload.systems));
for (const id of systems) if (!known.has(id)) refuse(`There is no system '${id}', but: ${[...known].join(', ')}.`);
const isNamed = (name, { id }) => id === name || id.startsWith(`${name}-`);
for (const name of positionals)
  if (!WORKLOADS.some((workload) => isNamed(name, workload)))
    refuse(`There is no workload '${name}', but: ${WORKLOADS.map(({ id }) => id).join(', ')}.`);
const chosen =
  positionals.length === 0
    ? WORKLOADS
    : WORKLOADS.filter((workload) => positionals.some((name) => isNamed(name, workload)));
/** Read before anything is measured: what cannot be read cannot be kept. */
const before = flags.merge ? await resultsIn(flags.out) : [];
const concurrency = flags.concurrency === undefined ? {} : { concurrency: Number(flags.concurrency) };

/** It polls without a pause while it is idle, and takes minutes for some workloads: one round, when all else is measured. */
const ORIGINAL = 'original';

function refuse(why) {
  console.error(why);
  process.exit(1);
}

async function resultsIn(file) {
  try {
    return JSON.parse(await readFile(file, 'utf8')).results;
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

const opened = new Map();
/** What the workers of a system are now, where they change. */
const fleets = new Map();
/** @param store of several systems of one kind: which */
async function systemOf(id, store = '') {
  const key = `${id} ${store}`;
  if (!opened.has(key)) {
    const { open } = await import(`./systems/${id}.mjs`);
    opened.set(key, await open({ name: uniqueName(), ...concurrency, ...(store ? { startFleet: false } : {}) }));
  }
  return opened.get(key);
}

async function closeAll() {
  for (const [key, system] of [...opened]) {
    opened.delete(key);
    await system.close();
  }
}

/** Servers first: Cassandra and Kafka compile what they do often, and are several times slower until they have. */
async function warmServersUp() {
  const workload = WORKLOADS.find(({ id }) => id === 'w1b');
  const [floor, system] = [await systemOf('floor'), await systemOf('flowcraft-kafka')];
  const round = async () => {
    await workload.floor(floor, scale);
    return measure(workload, system);
  };
  const seconds = scale.long ? { leastSeconds: 120, mostSeconds: 300 } : { leastSeconds: 60, mostSeconds: 90 };
  await untilSteady(round, { ...workload, window: 10, ...seconds });
}

async function measure(workload, system) {
  const figure = await workload.measure(system, scale);
  await system.tidy?.();
  return figure;
}

/** What a workload is measured of: a system with as many workers as it needs, or several with a store of their own. */
async function subjectOf({ stores, workers = 1, places }, id) {
  if (stores) {
    const systemsOf = await Promise.all(stores.map(async (store) => [store, await systemOf(id, store)]));
    return Object.fromEntries(systemsOf);
  }
  const system = await systemOf(id);
  const fleet = `${workers} of ${places ?? 'the usual'}`;
  if (system.resize && (fleets.get(id) ?? '1 of the usual') !== fleet) {
    await system.resize(workers, places === undefined ? {} : { concurrency: places });
    fleets.set(id, fleet);
  }
  return system;
}

/** Workloads that are compared with each other stand together: each turn measures all of them, of all systems. */
function groupsOf(workloads) {
  const groups = new Map();
  for (const workload of workloads) {
    const { group, id } = workload;
    groups.set(group ?? id, [...(groups.get(group ?? id) ?? []), workload]);
  }
  return [...groups.values()];
}

const turnsOf = ({ turnsARound = 1 }) => (scale.long ? turnsARound : 1) * rounds;

const idsOf = (workload) => workload.systems.filter((id) => systems.includes(id) && id !== ORIGINAL);

/** All rounds of a group of workloads, with the floor and the systems in turns. */
async function measureRounds(group) {
  for (const workload of group) if (!workload.isCold) await warmUp(workload);
  const steps = group.flatMap((workload) => [
    ...(workload.floor ? [{ workload, id: 'floor' }] : []),
    ...idsOf(workload).map((id) => ({ workload, id })),
  ]);
  const loads = [];
  for (let turn = 0; turn < turnsOf(group[0]); turn++) {
    loads.push(loadNow());
    // there and back: what one leaves to the next (garbage, a commit log to write) is not always left to the same
    for (const step of turn % 2 === 0 ? steps : steps.toReversed()) await measureStep(step);
  }
  return median(loads);
}

async function warmUp(workload) {
  await workload.floor?.(await systemOf('floor'), scale);
  const seconds = scale.long ? {} : { leastSeconds: 3, mostSeconds: 15 };
  for (const id of idsOf(workload)) {
    const subject = await subjectOf(workload, id);
    await untilSteady(() => measure(workload, subject), { ...workload, ...seconds });
  }
}

async function measureStep({ workload, id }) {
  const figures = measured.get(workload);
  const figure =
    id === 'floor'
      ? await workload.floor(await systemOf('floor'), scale)
      : await measure(workload, await subjectOf(workload, id));
  figures.set(id, [...(figures.get(id) ?? []), figure]);
}

const machine = await describeMachine();

function resultOf(workload, figures, load) {
  const of = (id) => figures.get(id)?.map(({ value }) => value);
  const ours = of('flowcraft-kafka');
  const ratio = (a, b) => (a && b ? median(a.map((value, i) => value / (b[i] ?? b[0]))) : undefined);
  return {
    id: workload.id,
    title: typeof workload.title === 'string' ? workload.title : workload.title(scale),
    unit: workload.unit,
    higherIsBetter: workload.higherIsBetter ?? false,
    load,
    /** Results that are kept with `--merge` may be of another day and machine. */
    at: new Date().toISOString(),
    cpu: machine.cpu,
    /** Of all processes but the servers. */
    nodeOptions: [process.env.NODE_OPTIONS, ...process.execArgv].filter(Boolean).join(' '),
    systems: Object.fromEntries(
      [...figures].map(([id, list]) => [id, { ...summary(list.map(({ value }) => value)), last: list.at(-1) }]),
    ),
    toFloor: ratio(ours, of('floor')),
    toBullmq: ratio(ours, of('bullmq')),
    toOriginal: ratio(ours, of(ORIGINAL)),
  };
}

const measured = new Map(chosen.map((workload) => [workload, new Map()]));
const loads = new Map();
try {
  if (systems.includes('flowcraft-kafka') && !chosen.every(({ isCold }) => isCold)) await warmServersUp();
  for (const group of groupsOf(chosen)) {
    const isFirst = loads.size === 0;
    const load = await measureRounds(group);
    for (const workload of group) loads.set(workload, load);
    printTable(
      group.map((workload) => resultOf(workload, measured.get(workload), load)),
      isFirst,
    );
  }
  await closeAll();
  for (const [workload, figures] of measured) {
    if (!systems.includes(ORIGINAL) || !workload.systems.includes(ORIGINAL)) continue;
    const system = await systemOf(ORIGINAL);
    figures.set(ORIGINAL, [await measure(workload, system)]);
    await closeAll();
  }
} finally {
  await closeAll();
}

const results = [...measured].map(([workload, figures]) => resultOf(workload, figures, loads.get(workload)));
if (systems.includes(ORIGINAL)) printTable(results, true);

const resultOfId = new Map([...before, ...results].map((result) => [result.id, result]));

const report = {
  at: new Date().toISOString(),
  long: flags.long,
  rounds,
  concurrency: CONCURRENCY,
  ...concurrency,
  machine,
  results: WORKLOADS.flatMap(({ id }) => resultOfId.get(id) ?? []),
};
await writeReport(flags.out, report);
console.log(`\nWritten to ${flags.out}`);
process.exit(0);
