/** Runs a workload until it gets hardly faster: what has just been started (servers, workers, clients) still compiles its code. */
import { median } from './statistics.mjs';

const ENOUGH = 0.05;

/**
 * Stops when the median of the last `window` rounds is less than 5 % better than that of the `window` before them,
 * or after `mostSeconds`; not before `leastSeconds`.
 */
export async function untilSteady(measure, { higherIsBetter = false, window = 3, leastSeconds = 8, mostSeconds = 60 }) {
  const start = performance.now();
  const costs = [];
  for (;;) {
    const { value } = await measure();
    costs.push(higherIsBetter ? 1 / value : value);
    const seconds = (performance.now() - start) / 1000;
    if (seconds > mostSeconds) return;
    if (seconds < leastSeconds || costs.length < 2 * window) continue;
    const before = median(costs.slice(-2 * window, -window));
    if (median(costs.slice(-window)) > before * (1 - ENOUGH)) return;
  }
}
