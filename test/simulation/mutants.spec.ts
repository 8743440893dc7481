import { firstFailure } from '../../scripts/simulation.mjs';
import { CONTROLS, MUTANTS } from './mutants.js';

/** At most so many schedules until a missing safeguard must have shown: most show within a hundred. */
const SCHEDULES = 40_000;

/** The simulation can fail: without any one of the protocol's safeguards, it does. */
describe('the simulation notices when', () => {
  it.each(Object.keys(MUTANTS))(
    '%s',
    async (mutant) => {
      expect(await firstFailure(1, SCHEDULES, { mutant })).toBeDefined();
    },
    10 * 60_000,
  );
});

/** The mutants that make it harder are caught because of the safeguard that they lack. */
describe('with all safeguards, nothing goes wrong when', () => {
  it.each(Object.keys(CONTROLS))(
    '%s',
    async (mutant) => {
      expect(await firstFailure(1, 2_000, { mutant })).toBeUndefined();
    },
    10 * 60_000,
  );
});
