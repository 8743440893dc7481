/**
 * What a store full of runs costs: the same measurements in an empty store and in a full one, each by a worker that has
 * just started, so that it can know of other runs only what it must.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { chain, holding } from './graphs.mjs';

const AT_ONCE = 500;
const states = new WeakMap();

/** How many runs are in the store. */
export function sizeOf({ long }) {
  return long ? { ended: 90_000, awaiting: 10_000 } : { ended: 18_000, awaiting: 2_000 };
}

/**
 * A system with a full store, and what was measured while it was empty. Fills it at the first call.
 * @param measure what to measure of a worker that has just started
 */
export async function full(system, scale, measure) {
  if (!states.has(system)) {
    const empty = await fresh(system, measure);
    const { ended, awaiting } = sizeOf(scale);
    await inWindows(ended, () => system.run(chain(1)));
    await inWindows(awaiting, () => system.hold(holding()));
    states.set(system, empty);
  }
  return { empty: states.get(system), full: await fresh(system, measure) };
}

async function fresh(system, measure) {
  await system.resize(0);
  await system.resize(1);
  await sleep(3000);
  return measure(system);
}

async function inWindows(count, start) {
  let left = count;
  const lane = async () => {
    while (left-- > 0) await start();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}
