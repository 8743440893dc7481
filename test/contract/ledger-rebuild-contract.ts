import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { replayJournal } from '../../src/core/replay.js';
import { SHAPES } from '../support/blueprints.js';
import { turnRecord } from '../support/turn-records.js';
import {
  accepted,
  granted,
  LedgerRun,
  LONG_LEASE_MS,
  names,
  newRunId,
  SHORT_LEASE_MS,
  waitOn,
  type LedgerBench,
  type OpenLedger,
} from './ledger-bench.js';

/** Rebuilding a run: the lock, and the placeholder claims that a rebuild leaves. */
export function rebuildContract(open: OpenLedger): void {
  let bench: LedgerBench;
  beforeEach(async () => {
    bench = await open();
  });
  afterEach(() => bench.close());

  const locked = (answer: Awaited<ReturnType<LedgerBench['ledger']['lock']>>) => {
    if (answer.kind !== 'locked') throw new Error(`There is no lock: ${JSON.stringify(answer)}`);
    return answer;
  };

  describe('the lock', () => {
    it('is given to one, with the time', async () => {
      const runId = newRunId();
      const before = await bench.ledger.now();
      const answers = await Promise.all(
        ['w1', 'w2', 'w3'].map((owner) => bench.ledger.lock(runId, owner, LONG_LEASE_MS)),
      );
      expect(answers.map((a) => a.kind).sort()).toEqual(['locked', 'wait', 'wait']);
      const { now } = locked(answers.find((a) => a.kind === 'locked') ?? { kind: 'wait' });
      expect(now).toBeGreaterThanOrEqual(before);
      expect(now).toBeLessThanOrEqual(await bench.ledger.now());
    });

    it('is given to its owner again, who may not have heard the first answer', async () => {
      const run = new LedgerRun(bench.ledger, SHAPES.chain);
      await bench.ledger.lock(run.runId, 'w1', LONG_LEASE_MS);
      const { lock } = locked(await bench.ledger.lock(run.runId, 'w1', LONG_LEASE_MS));
      expect(await bench.ledger.lock(run.runId, 'w2', LONG_LEASE_MS)).toEqual({ kind: 'wait' });
      expect(await run.install('i1', lock)).toBe(true);
    });

    it('runs out', async () => {
      const runId = newRunId();
      await bench.ledger.lock(runId, 'w1', SHORT_LEASE_MS);
      await waitOn(bench, SHORT_LEASE_MS + 20);
      expect(await bench.ledger.lock(runId, 'w2', LONG_LEASE_MS)).toMatchObject({ kind: 'locked' });
    });

    it('is not given while there is a state', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      expect(await bench.ledger.lock(run.runId, 'w1', LONG_LEASE_MS)).toEqual({ kind: 'exists' });
      expect(await bench.ledger.lock(run.runId, 'w1', LONG_LEASE_MS, 'another')).toEqual({ kind: 'exists' });
      granted(await run.claim('a'));
    });

    it('drops the state of the incarnation that is known to be wrong', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const { lock } = locked(await bench.ledger.lock(run.runId, 'w1', LONG_LEASE_MS, 'i1'));
      expect(await run.claim('a')).toEqual({ kind: 'missing' });
      expect(await run.install('i2', lock)).toBe(true);
      expect(await bench.ledger.lock(run.runId, 'w2', LONG_LEASE_MS, 'i1')).toEqual({ kind: 'exists' });
      granted(await run.claim('a'));
    });

    it('lets only its holder install', async () => {
      const run = new LedgerRun(bench.ledger, SHAPES.chain);
      const { lock } = locked(await bench.ledger.lock(run.runId, 'w1', LONG_LEASE_MS));
      expect(await run.install('wrong', `${lock}x`)).toBe(false);
      expect(await run.install('right', lock)).toBe(true);
      expect((await bench.ledger.read(run.runId)).get('i')).toBe('right');
      expect(await run.install('again', lock)).toBe(false);
    });

    it('that was lost to another installs nothing', async () => {
      const run = new LedgerRun(bench.ledger, SHAPES.chain);
      const first = locked(await bench.ledger.lock(run.runId, 'w1', SHORT_LEASE_MS));
      await waitOn(bench, SHORT_LEASE_MS + 20);
      const second = locked(await bench.ledger.lock(run.runId, 'w2', LONG_LEASE_MS));
      expect(await run.install('first', first.lock)).toBe(false);
      expect((await bench.ledger.read(run.runId)).fields.size).toBe(0);
      expect(await run.install('second', second.lock)).toBe(true);
    });

    it('that ran out installs nothing, even if nobody else has it', async () => {
      const run = new LedgerRun(bench.ledger, SHAPES.chain);
      const { lock } = locked(await bench.ledger.lock(run.runId, 'w1', SHORT_LEASE_MS));
      await waitOn(bench, SHORT_LEASE_MS + 20);
      expect(await run.install('late', lock)).toBe(false);
    });
  });

  describe('a rebuilt run', () => {
    /** A diamond whose first node has settled, rebuilt from its journal. */
    const rebuild = async (graceMs: number) => {
      const run = new LedgerRun(bench.ledger, SHAPES.diamond);
      const { lock, now } = locked(await bench.ledger.lock(run.runId, 'w9', LONG_LEASE_MS));
      const rows = [turnRecord('a', { token: now, taken: ['b', 'c'] })];
      const state = replayJournal(run.plan, rows, { token: now, now, graceMs, maxTurns: 1000 });
      expect(await bench.ledger.install(run.runId, state, lock)).toBe(true);
      return { run, token: now };
    };

    it('knows what was settled, under the token of the rebuild', async () => {
      const { run, token } = await rebuild(LONG_LEASE_MS);
      expect(await run.claim('a')).toEqual({ kind: 'settled', token, passes: [] });
      expect(names(accepted(await run.settle({ token, passes: [] }, 'a')).fired)).toEqual(['b@1', 'c@1']);
    });

    it('keeps what is open for those who executed it before', async () => {
      const { run, token } = await rebuild(LONG_LEASE_MS);
      expect(await run.claim('b', '1', { worker: 'w2' })).toMatchObject({ kind: 'busy', worker: '?' });
      const claim = granted(await run.claim('b', '1', { worker: 'w2', mode: 'again' }));
      expect(claim.token).toBeGreaterThan(token);
      expect(await run.claim('b', '1', { worker: 'w3', mode: 'again' })).toMatchObject({ kind: 'busy', worker: 'w2' });
      accepted(await run.settle(claim, 'b', '1', { worker: 'w2' }));
    });

    it('lets an executor that is still alive renew and settle its old claim by claiming again', async () => {
      const { run } = await rebuild(LONG_LEASE_MS);
      expect(await bench.ledger.renew(run.runId, 'b', '1', 'w2', 77, LONG_LEASE_MS)).toBe('held');
      expect(await run.settle({ token: 77, passes: [] }, 'b')).toEqual({ kind: 'expired' });
      granted(await run.claim('b', '1', { worker: 'w2', mode: 'again', floor: 77 }));
    });

    it('gives what is open to anyone once the grace is over', async () => {
      const { run } = await rebuild(SHORT_LEASE_MS);
      await waitOn(bench, SHORT_LEASE_MS + 20);
      const claim = granted(await run.claim('c', '1', { worker: 'w2' }));
      await run.settle(claim, 'c', '1', { worker: 'w2' });
      expect(names((await run.pass('b')).fired)).toEqual(['d@1']);
    });
  });
}
