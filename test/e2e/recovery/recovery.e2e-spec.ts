import { figures } from '../../chaos/report.js';
import { FleetFixture } from './fleet-fixture.js';

const MINUTE_MS = 60_000;

describe('a fleet of worker processes with the default settings', () => {
  let fixture: FleetFixture;

  beforeAll(async () => {
    fixture = await FleetFixture.open();
  }, 2 * MINUTE_MS);

  afterAll(() => fixture.close(), MINUTE_MS);

  it(
    'continues the work of a worker that is killed within 15 s on others',
    async () => {
      const runIds = await fixture.start('slow', 12);
      const { seat, held } = await fixture.busiest(runIds);
      const killedAt = Date.now();
      seat.kill();
      await fixture.completed(runIds);
      const lost = held.filter((e) => e.finishedAt === undefined || e.finishedAt > killedAt);
      const after = fixture.executionsOf('b', runIds).filter((e) => e.startedAt >= killedAt);
      const gaps = lost.flatMap(({ runId }) => {
        const next = after.find((other) => other.runId === runId);
        return next ? [next.startedAt - killedAt] : [];
      });
      console.log(`taken over after a kill (ms): ${JSON.stringify(figures(gaps))}`);
      expect(gaps.length).toBeGreaterThan(0);
      expect(Math.max(...gaps)).toBeLessThan(15_000);
    },
    2 * MINUTE_MS,
  );

  it(
    'continues the work of a worker that drains at once, and lets its long nodes end',
    async () => {
      await fixture.fleet.untilReady();
      const runIds = await fixture.start('slow', 6);
      const { seat } = await fixture.busiest(runIds);
      const drained = seat.drain(40_000);
      const took = await fixture.chains(5000);
      expect(await drained).toBe(true);
      await fixture.completed(runIds);
      console.log(`runs while a worker drained (ms): ${JSON.stringify(figures(took))}`);
      expect(Math.max(...took)).toBeLessThan(8000);
      expect(fixture.executionsOf('b', runIds)).toHaveLength(runIds.length);
    },
    2 * MINUTE_MS,
  );

  it(
    'loses no run in a rolling restart, which adds less than 2 s to the slowest runs',
    async () => {
      await fixture.fleet.untilReady();
      const usual = figures(await fixture.chains(15_000));
      let isRolling = true;
      const replacements: number[] = [];
      const roll = async () => {
        for (const seat of fixture.fleet.seats) {
          const begun = Date.now();
          expect(await seat.drain(40_000)).toBe(true);
          await fixture.fleet.untilReady();
          replacements.push(Date.now() - begun);
        }
        isRolling = false;
      };
      const rolled = roll();
      const took: number[] = [];
      while (isRolling) took.push(...(await fixture.chains(3000)));
      await rolled;
      const meanwhile = figures(took);
      console.log(
        `runs (ms): ${JSON.stringify(usual)}; in a rolling restart: ${JSON.stringify(meanwhile)}; workers were replaced in ${replacements.join(', ')} ms`,
      );
      expect(meanwhile.p99 - usual.p99).toBeLessThan(2000);
    },
    3 * MINUTE_MS,
  );
});
