import { simulate } from '../../scripts/simulation.mjs';
import { FLOWS } from './flows.js';

const SCHEDULES = Number(process.env['SIMULATION_SEEDS'] ?? 20_000);
const FIRST = Number(process.env['SIMULATION_FROM'] ?? 1);

const HOP = ['claim', 'turn', 'write', 'settle', 'publish', 'commit'];
const FAULTS = [
  ...['worker crashed', 'client crashed', 'process paused', 'delivered twice', 'rebalance', 'deploy', 'swept'],
  ...['ledger lost', 'ledger rolled back', 'kafka fails', 'redis fails', 'cassandra fails'],
  ...['start repeated', 'run cancelled'],
  ...['crash', 'pause', 'ledger lost'].flatMap((fault) =>
    HOP.flatMap((step) => [`${fault} before ${step}`, `${fault} after ${step}`]),
  ),
];

/** `npm run simulate -- --seed N` shows what happens in a schedule that failed. */
it(
  `nothing is lost, stuck or done twice in ${SCHEDULES} schedules with faults`,
  async () => {
    const totals = await simulate(FIRST, FIRST + SCHEDULES - 1);
    const failures = totals.failures.map(
      ({ seed, flows, violations }) =>
        `seed ${seed} (${flows.join(', ')}): ${violations.slice(0, 3).join('; ')}\n  npm run simulate -- --seed ${seed}`,
    );
    expect(failures.slice(0, 10)).toEqual([]);
    expect(totals.schedules).toBe(SCHEDULES);
    // every kind of fault and every flow has had its turn
    expect(FAULTS.filter((fault) => !totals.faults[fault])).toEqual([]);
    expect(FLOWS.filter(({ name }) => !totals.flows[name]).map(({ name }) => name)).toEqual([]);
  },
  20 * 60_000,
);
