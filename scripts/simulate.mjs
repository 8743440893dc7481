// Runs seeded schedules: `npm run simulate -- --seeds 1-20000`, or one of them with its trace: `-- --seed 42`.
// `--flow NAME` runs only that flow, `--mutant NAME` takes a safeguard away, `--processes N` says how many run at a time.
import { parseArgs } from 'node:util';
import { simulate, trace } from './simulation.mjs';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1-2000' },
    seed: { type: 'string' },
    flow: { type: 'string' },
    mutant: { type: 'string' },
    processes: { type: 'string', default: '2' },
  },
});
const { flow, mutant } = values;
if (values.seed !== undefined) {
  process.exit(await trace(Number(values.seed), { flow, mutant }));
}
const [from, to = from] = values.seeds.split('-').map(Number);
const began = performance.now();
const totals = await simulate(from, to, { processes: Number(values.processes), flow, mutant });
const seconds = (performance.now() - began) / 1000;
for (const { seed, flows, violations } of totals.failures.slice(0, 20)) {
  console.log(`seed ${seed} (${flows.join(', ')}):`);
  for (const violation of violations.slice(0, 6)) console.log(`    ${violation}`);
}
const { failures, ...counts } = totals;
console.log(JSON.stringify(counts, null, 2));
console.log(`${totals.schedules} schedules in ${seconds.toFixed(1)} s, ${failures.length} with violations`);
process.exit(failures.length === 0 ? 0 : 1);
