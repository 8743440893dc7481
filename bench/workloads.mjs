/**
 * What is measured. `measure` gives one figure of one round, and what belongs to it; `floor` gives what the bare drivers
 * need for the same hops at the same concurrency.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fullAndEmpty, sizeOf } from './full-store.mjs';
import { batch, chain, fan, join } from './graphs.mjs';
import { median, quantile } from './statistics.mjs';

/** Of each worker where two are compared with one: few enough for items to wait for places, not for the machine. */
const PLACES_OF_TWO = 256;

const perHop = ({ msOfHop }) => ({ value: msOfHop });
const perSecond = ({ ms, hops, cpuMicros }) => ({ value: (hops / ms) * 1000, clientCpuMicros: cpuMicros / hops });

/** All runs at once: nodes a second from the first start to the last end, and of the executions alone. */
async function flood(system, graph, runs, input) {
  await system.fleet.stamps();
  const [start, cpu] = [performance.now(), await system.fleet.cpu()];
  await Promise.all(Array.from({ length: runs }, () => system.run(graph, input)));
  const ms = performance.now() - start;
  const cpuMicros = (await system.fleet.cpu()) - cpu;
  const { executed, runs: stamps } = await system.fleet.stamps();
  const span =
    Math.max(...[...stamps.values()].map(([, last]) => last)) -
    Math.min(...[...stamps.values()].map(([first]) => first));
  return {
    value: (executed / ms) * 1000,
    nodesPerSecondWhileExecuting: (executed / span) * 1000,
    ms,
    /** Until the last run was accepted. */
    submitMs: system.submittedAt - start,
    workerCpuMicros: cpuMicros / executed,
    executed,
  };
}

async function oneByOne(system, graph, runs) {
  await system.fleet.stamps();
  const walls = [];
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    await system.run(graph);
    walls.push(performance.now() - start);
  }
  const { runs: stamps } = await system.fleet.stamps();
  const wholeRunMs = median(walls);
  // the original adapter does not tell nodes which run they belong to
  if (stamps.size < runs) return { value: wholeRunMs / graph.nodes.length, wholeRunMs };
  const hops = graph.nodes.length - 1;
  const spans = [...stamps.values()].map(([first, last]) => (last - first) / hops);
  return { value: median(spans), wholeRunMs };
}

/** Milliseconds from `start` to the first line of the first node's code, while nothing else happens. */
async function toFirstNode(system, runs) {
  const delays = [];
  for (let i = 0; i < runs; i++) {
    await sleep(50);
    await system.fleet.stamps();
    const start = performance.timeOrigin + performance.now();
    await system.run(chain(1));
    const { runs: stamps } = await system.fleet.stamps();
    delays.push([...stamps.values()][0][0] - start);
  }
  return { value: median(delays), p95: quantile(delays, 0.95) };
}

/** Over windows of so many seconds: once a minute a sweep of the reconciler falls into one. */
async function idle(system, { settle, windows, seconds }) {
  await sleep(settle * 1000);
  const percent = [];
  for (let i = 0; i < windows; i++) {
    const [start, before] = [performance.now(), await system.fleet.cpu()];
    await sleep(seconds * 1000);
    const used = (await system.fleet.cpu()) - before;
    percent.push((used / ((performance.now() - start) * 1000)) * 100);
  }
  const [{ memory }] = await system.fleet.ask('usage');
  const mean = percent.reduce((sum, one) => sum + one, 0) / windows;
  return { value: mean, percent, residentMegabytes: memory.rss / 1e6 };
}

/** What must not depend on the runs in the store. */
async function hopSweepAndMemory(system) {
  const [{ memory }] = await system.fleet.ask('usage');
  const start = performance.now();
  await system.sweep();
  const sweepMs = performance.now() - start;
  await oneByOne(system, chain(10), 30); // warms up
  const { value: hopMs } = await oneByOne(system, chain(10), 60);
  return { hopMs, sweepMs, residentMegabytes: memory.rss / 1e6 };
}

async function fullToEmpty(systems, scale, figure) {
  const measured = await fullAndEmpty(systems, scale, hopSweepAndMemory);
  return { value: measured.full[figure] / measured.empty[figure], ...measured };
}

async function overItems(system, graph, count, runs = 1) {
  await system.fleet.stamps();
  const items = Array.from({ length: count }, (_, i) => i);
  const start = performance.now();
  for (let i = 0; i < runs; i++) await system.run(graph, { items });
  const ms = performance.now() - start;
  const usage = await system.fleet.ask('usage');
  return {
    value: (ms / runs / count) * 1000,
    ms,
    residentMegabytes: Math.max(...usage.map((u) => u.memory.rss)) / 1e6,
  };
}

const waitingItems = ({ long }) => (long ? 10_000 : 2000);
const chainsAtOnce = (system) => flood(system, chain(10), 300);
const ALL = ['flowcraft-kafka', 'bullmq', 'original'];
const runsOf = (length) => Math.max(3, 500 / length);
const bytes = { kind: 'bytes', bytes: 10_240 };
/** Less than a second each. */
const floods = { group: 'floods', turnsARound: 5 };

export const WORKLOADS = [
  {
    id: 'w1a',
    turnsARound: 5,
    title: 'W1a: chain of 10, one run at a time',
    unit: 'ms/hop',
    systems: ALL,
    measure: (system, { long }) => oneByOne(system, chain(10), long ? 60 : 20),
    floor: async (floor, { long }) => perHop(await floor.hopsOneByOne({ runs: long ? 60 : 20, length: 10 })),
  },
  {
    id: 'w1b',
    ...floods,
    title: 'W1b: chains of 10, 300 runs at once',
    unit: 'nodes/s',
    higherIsBetter: true,
    systems: ALL,
    measure: chainsAtOnce,
    floor: async (floor) => perSecond(await floor.hops({ runs: 300, length: 10 })),
  },
  {
    id: 'w1b-whole',
    ...floods,
    title: 'W1b again: the floor with the start and end of runs',
    unit: 'nodes/s',
    higherIsBetter: true,
    systems: ['flowcraft-kafka'],
    measure: chainsAtOnce,
    floor: async (floor) => perSecond(await floor.hops({ runs: 300, length: 10, isWhole: true })),
  },
  {
    id: 'w2',
    ...floods,
    title: 'W2: fan 1 -> 100 -> 1, 10 runs at once',
    unit: 'nodes/s',
    higherIsBetter: true,
    systems: ALL,
    measure: (system) => flood(system, fan(100), 10),
    floor: async (floor) => perSecond(await floor.hops({ runs: 1000, length: 1 })),
  },
  {
    id: 'w3',
    ...floods,
    title: 'W3: 20 parallel nodes of 50 ms and a join, 20 runs at once',
    unit: 'ms',
    systems: ALL,
    measure: async (system) => {
      const flooded = await flood(system, join(20, { kind: 'delay', ms: 50 }), 20);
      return { ...flooded, value: flooded.ms };
    },
  },
  ...[25, 50, 100, 250, 1000].map((length) => ({
    id: `w4-${length}`,
    group: 'w4',
    turnsARound: 5,
    title: `W4: chain of ${length}, outputs of 10 KB`,
    unit: 'ms/hop',
    systems: length > 100 ? ['flowcraft-kafka', 'bullmq'] : ALL,
    measure: (system) => oneByOne(system, chain(length, bytes), runsOf(length)),
    floor: async (floor) => perHop(await floor.hopsOneByOne({ runs: runsOf(length), length, bytes: 10_240 })),
  })),
  ...[100, 1000, 10_000].map((count) => ({
    id: `w5-${count}`,
    group: 'w5',
    turnsARound: 2,
    title: `W5: batch of ${count} items`,
    unit: 'us/item',
    systems: ['flowcraft-kafka'],
    measure: (system) => overItems(system, batch(), count, count === 100 ? 5 : 1),
  })),
  ...[1, 2].map((workers) => ({
    id: `w5-workers-${workers}`,
    title: (scale) =>
      `W5: batch of ${waitingItems(scale)} items that wait 500 ms, ${workers} worker${workers > 1 ? 's' : ''} of ${PLACES_OF_TWO}`,
    unit: 'us/item',
    workers,
    places: PLACES_OF_TWO,
    systems: ['flowcraft-kafka'],
    measure: (system, scale) => overItems(system, batch('delay', 500), waitingItems(scale)),
  })),
  ...Object.entries({ hop: 'hopMs', memory: 'residentMegabytes' }).map(([what, figure]) => ({
    id: `w6-${what}`,
    title: (scale) =>
      `W6: ${what} ${what === 'hop' ? '' : 'of a worker '}with ${sizeOf(scale).ended} ended and ${sizeOf(scale).awaiting} waiting runs in the store`,
    unit: 'to empty',
    systems: ['flowcraft-kafka'],
    isCold: true,
    stores: ['full', 'empty'],
    measure: (systems, scale) => fullToEmpty(systems, scale, figure),
  })),
  {
    id: 'first',
    title: 'From start() to the first node, idle',
    unit: 'ms',
    systems: ALL,
    measure: (system, { long }) => toFirstNode(system, long ? 60 : 20),
  },
  {
    id: 'idle',
    isCold: true,
    title: 'Idle worker',
    unit: '% of a core',
    systems: ALL,
    measure: (system, { long }) =>
      idle(system, long ? { settle: 20, windows: 6, seconds: 10 } : { settle: 3, windows: 3, seconds: 5 }),
  },
];
