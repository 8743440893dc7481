import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  granted,
  LedgerRun,
  LONG_LEASE_MS,
  newRunId,
  SHORT_LEASE_MS,
  waitOn,
  type LedgerBench,
  type OpenLedger,
} from './ledger-bench.js';
import { SHAPES } from '../support/blueprints.js';

/** Time, liveness of workers, idle runs, election. */
export function fleetContract(open: OpenLedger): void {
  let bench: LedgerBench;
  beforeEach(async () => {
    bench = await open();
  });
  afterEach(() => bench.close());

  const begin = async (run: LedgerRun) => bench.ledger.begin(run.runId, await run.fresh());

  it('tells the time in microseconds, and it never goes back', async () => {
    const times = [await bench.ledger.now(), await bench.ledger.now(), await bench.ledger.now()];
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times[0]).toBeGreaterThan(1_600_000_000_000_000);
    expect(times[0]).toBeLessThan(4_000_000_000_000_000);
    expect(Number.isSafeInteger(times[0])).toBe(true);
  });

  describe('a worker', () => {
    it('is alive while it says so', async () => {
      expect(await bench.ledger.isAlive('w1')).toBe(false);
      await bench.ledger.beat('w1', LONG_LEASE_MS);
      expect(await bench.ledger.isAlive('w1')).toBe(true);
      expect(await bench.ledger.isAlive('w2')).toBe(false);
    });

    it('is dead when it has been silent for too long', async () => {
      await bench.ledger.beat('w1', SHORT_LEASE_MS);
      await bench.ledger.beat('w2', LONG_LEASE_MS);
      await waitOn(bench, SHORT_LEASE_MS + 20);
      expect(await bench.ledger.isAlive('w1')).toBe(false);
      expect(await bench.ledger.isAlive('w2')).toBe(true);
      await bench.ledger.beat('w1', LONG_LEASE_MS);
      expect(await bench.ledger.isAlive('w1')).toBe(true);
    });

    it('is dead at once when it retires', async () => {
      await bench.ledger.beat('w1', LONG_LEASE_MS);
      await bench.ledger.retire('w1');
      await bench.ledger.retire('w1');
      expect(await bench.ledger.isAlive('w1')).toBe(false);
    });
  });

  describe('idle runs', () => {
    it('are those without progress for so long, the longest idle first', async () => {
      const runs = [newRunId(), newRunId(), newRunId()];
      for (const runId of runs) {
        await bench.ledger.touch([runId]);
        await waitOn(bench, 5);
      }
      await waitOn(bench, 60);
      await bench.ledger.touch([...runs.slice(0, 1), newRunId()]);
      expect(await bench.ledger.idle(50, 10)).toEqual(runs.slice(1));
      expect(await bench.ledger.idle(LONG_LEASE_MS, 10)).toEqual([]);
    });

    it('come in the number that is asked for', async () => {
      const runs = Array.from({ length: 20 }, newRunId);
      await bench.ledger.touch(runs);
      await waitOn(bench, 20);
      expect(await bench.ledger.idle(10, 7)).toHaveLength(7);
      expect((await bench.ledger.idle(10, 100)).sort()).toEqual([...runs].sort());
    });

    it('that were put back come when their time is over', async () => {
      const [soon, late] = [newRunId(), newRunId()];
      await bench.ledger.touch([late], 600_000);
      await bench.ledger.touch([soon]);
      await waitOn(bench, 40);
      expect(await bench.ledger.idle(10, 10)).toEqual([soon]);
      await bench.ledger.touch([late], -600_000);
      expect(await bench.ledger.idle(10, 10)).toEqual([late, soon]);
    });

    it('are forgotten when they need no watching', async () => {
      const runId = newRunId();
      await bench.ledger.touch([runId]);
      await bench.ledger.forget(runId);
      await bench.ledger.forget(runId);
      await waitOn(bench, 20);
      expect(await bench.ledger.idle(0, 10)).toEqual([]);
      await bench.ledger.touch([]);
    });

    it('are watched from their beginning until nothing is left to do of them', async () => {
      const [run, other] = [new LedgerRun(bench.ledger, SHAPES.chain), new LedgerRun(bench.ledger, SHAPES.chain)];
      await Promise.all([begin(run), begin(other)]);
      await waitOn(bench, 20);
      expect((await bench.ledger.idle(10, 10)).sort()).toEqual([run.runId, other.runId].sort());
      expect(await bench.ledger.conclude(run.runId, 'completed', Number.MAX_SAFE_INTEGER)).toBe(true);
      expect(await bench.ledger.idle(10, 10)).toEqual([other.runId]);
      expect(await run.claim('a')).toEqual({ kind: 'closed', status: 'completed' });
      const { token } = granted(await other.claim('a'));
      expect(await bench.ledger.conclude(other.runId, 'completed', token)).toBe(false);
      expect(await bench.ledger.idle(10, 10)).toEqual([other.runId]);
      expect(await bench.ledger.conclude(newRunId(), 'completed', 1)).toBe(true);
    });

    it('keep the state that they have when they begin again', async () => {
      const run = new LedgerRun(bench.ledger, SHAPES.chain);
      await begin(run);
      const { token } = granted(await run.claim('a'));
      await begin(run);
      expect((await bench.ledger.read(run.runId)).counts()).toMatchObject({ open: 1, token });
    });
  });

  it('keeps what the fleet notes under a name', async () => {
    expect(await bench.ledger.cursor('x')).toBeUndefined();
    await bench.ledger.setCursor('x', '["1"]');
    await bench.ledger.setCursor('x', '["2"]');
    await bench.ledger.setCursor('y', 'other');
    expect(await bench.ledger.cursor('x')).toBe('["2"]');
  });

  describe('an election', () => {
    it('has one winner, who may ask again', async () => {
      const owners = ['w1', 'w2', 'w3', 'w4'];
      const answers = await Promise.all(owners.map((owner) => bench.ledger.elect('sweep', owner, LONG_LEASE_MS)));
      expect(answers.filter(Boolean)).toHaveLength(1);
      const winner = owners[answers.indexOf(true)] ?? '';
      expect(await bench.ledger.elect('sweep', winner, LONG_LEASE_MS)).toBe(true);
      for (const other of owners.filter((o) => o !== winner)) {
        expect(await bench.ledger.elect('sweep', other, LONG_LEASE_MS)).toBe(false);
      }
      expect(await bench.ledger.elect('another', owners.find((o) => o !== winner) ?? '', LONG_LEASE_MS)).toBe(true);
    });

    it('can be won by another when the winner has resigned, and nobody else can do that', async () => {
      expect(await bench.ledger.elect('sweep', 'w1', LONG_LEASE_MS)).toBe(true);
      await bench.ledger.resign('sweep', 'w2');
      expect(await bench.ledger.elect('sweep', 'w2', LONG_LEASE_MS)).toBe(false);
      await bench.ledger.resign('sweep', 'w1');
      expect(await bench.ledger.elect('sweep', 'w2', LONG_LEASE_MS)).toBe(true);
    });

    it('can be won by another after a while', async () => {
      expect(await bench.ledger.elect('sweep', 'w1', SHORT_LEASE_MS)).toBe(true);
      await waitOn(bench, SHORT_LEASE_MS + 20);
      expect(await bench.ledger.elect('sweep', 'w2', LONG_LEASE_MS)).toBe(true);
    });

    it('lasts as long as the winner said when it asked last', async () => {
      await bench.ledger.elect('longer', 'w1', SHORT_LEASE_MS);
      await bench.ledger.elect('longer', 'w1', LONG_LEASE_MS);
      await bench.ledger.elect('shorter', 'w1', LONG_LEASE_MS);
      await bench.ledger.elect('shorter', 'w1', 1);
      await waitOn(bench, SHORT_LEASE_MS + 20);
      expect(await bench.ledger.elect('longer', 'w2', LONG_LEASE_MS)).toBe(false);
      expect(await bench.ledger.elect('shorter', 'w2', LONG_LEASE_MS)).toBe(true);
    });
  });
}
