/**
 * What a store full of runs costs: the same measurements in a store with few runs and in a full one, in turns, each by a
 * worker that has just started, so that it can know of other runs only what it must.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { chain, holding } from './graphs.mjs';

const AT_ONCE = 500;
const filled = new WeakSet();

/** How many runs are in the store. */
export function sizeOf({ long }) {
  return long ? { ended: 90_000, awaiting: 10_000 } : { ended: 18_000, awaiting: 2_000 };
}

/**
 * What is measured with a full store and with an empty one, one after the other. Fills the one at the first call.
 * @param measure what to measure of a worker that has just started
 */
export async function fullAndEmpty({ full, empty }, scale, measure) {
  if (!filled.has(full)) {
    const { ended, awaiting } = sizeOf(scale);
    await full.resize(1);
    await inWindows(ended, () => full.run(chain(1)));
    await inWindows(awaiting, () => full.hold(holding()));
    filled.add(full);
  }
  return { empty: await fresh(empty, measure), full: await fresh(full, measure) };
}

async function fresh(system, measure) {
  await system.resize(1);
  await sleep(3000);
  const measured = await measure(system);
  await system.resize(0);
  return measured;
}

async function inWindows(count, start) {
  let left = count;
  const lane = async () => {
    while (left-- > 0) await start();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}
