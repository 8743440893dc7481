import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { planBlueprint } from '../../src/core/plan.js';
import { replayJournal } from '../../src/core/replay.js';
import { SHAPES } from '../support/blueprints.js';
import {
  accepted,
  granted,
  LedgerRun,
  LONG_LEASE_MS,
  newRunId,
  SHORT_LEASE_MS,
  waitOn,
  type LedgerBench,
  type OpenLedger,
} from './ledger-bench.js';

/** Installing, claiming, renewing, ending. */
export function claimContract(open: OpenLedger): void {
  let bench: LedgerBench;
  beforeEach(async () => {
    bench = await open();
  });
  afterEach(() => bench.close());

  describe('installing', () => {
    it('installs a run once, and what is read is the first state', async () => {
      const run = new LedgerRun(bench.ledger, SHAPES.diamond);
      const state = await run.fresh('first');
      expect(await bench.ledger.install(run.runId, state)).toBe(true);
      expect(await run.install('second')).toBe(false);
      expect((await bench.ledger.read(run.runId)).fields).toEqual(state.fields);
    });

    it('lets one of several concurrent installs win', async () => {
      const run = new LedgerRun(bench.ledger, SHAPES.diamond);
      const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => run.install(`i${i}`)));
      expect(answers.filter(Boolean)).toHaveLength(1);
      expect((await bench.ledger.read(run.runId)).get('i')).toBe(`i${answers.indexOf(true)}`);
    });

    it('keeps the installed state apart from the one that was given', async () => {
      const run = new LedgerRun(bench.ledger, SHAPES.diamond);
      const state = await run.fresh();
      await bench.ledger.install(run.runId, state);
      state.set('i', 'changed');
      (await bench.ledger.read(run.runId)).set('i', 'changed');
      expect((await bench.ledger.read(run.runId)).get('i')).toBe('i1');
    });

    it('answers missing for a run that it does not know, and makes none of it', async () => {
      const run = new LedgerRun(bench.ledger, SHAPES.chain);
      expect(await run.claim('a')).toEqual({ kind: 'missing' });
      expect(await run.settle({ token: 1, passes: [] }, 'a')).toEqual({ kind: 'missing' });
      expect(await bench.ledger.renew(run.runId, 'a', '1', 'w1', 1, 1000)).toBe('missing');
      await bench.ledger.end(run.runId, 'completed');
      expect((await bench.ledger.read(run.runId)).fields.size).toBe(0);
      expect(await run.install()).toBe(true);
    });
  });

  describe('claiming', () => {
    it('grants a ready turn under a token that is the time of the grant', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const before = await bench.ledger.now();
      const claim = granted(await run.claim('a'));
      expect(claim).toMatchObject({ passes: [], claims: 1 });
      expect(claim).not.toHaveProperty('origin');
      expect(claim.token).toBeGreaterThanOrEqual(before);
      expect(claim.token).toBeLessThan(before + 60_000_000);
    });

    it('grants every token above all earlier ones of the run', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.wide);
      await run.pass('a');
      const claims = await Promise.all(['b1', 'b2', 'b3', 'b4', 'b5'].map((node) => run.claim(node)));
      const again = await run.claim('b1');
      const tokens = [...claims, again].map((claim) => granted(claim).token);
      expect(new Set(tokens).size).toBe(6);
      expect(tokens[5]).toBe(Math.max(...tokens));
    });

    it('grants a token above the floor, however far that lies in the future', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const floor = (await bench.ledger.now()) + 3_600_000_000;
      const first = granted(await run.claim('a', '1', { floor }));
      expect(first.token).toBeGreaterThan(floor);
      expect(granted(await run.claim('a')).token).toBeGreaterThan(first.token);
    });

    it('answers busy to a second worker, with the holder and the time that is left', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const { token } = granted(await run.claim('a'));
      const answer = await run.claim('a', '1', { worker: 'w2' });
      expect(answer).toMatchObject({ kind: 'busy', worker: 'w1', token });
      const { retryInMs } = answer as { retryInMs: number };
      expect(retryInMs).toBeGreaterThan(LONG_LEASE_MS / 2);
      expect(retryInMs).toBeLessThanOrEqual(LONG_LEASE_MS);
    });

    it('grants one of several workers that claim at once', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => run.claim('a', '1', { worker: `w${i}` })));
      expect(answers.map((a) => a.kind).sort()).toEqual([...Array<string>(9).fill('busy'), 'granted']);
    });

    it('grants its holder the turn again; what the earlier token settles is lost', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const first = granted(await run.claim('a'));
      const second = granted(await run.claim('a'));
      expect(second.claims).toBe(2);
      expect(await run.settle(first, 'a')).toEqual({ kind: 'lost' });
      accepted(await run.settle(second, 'a'));
    });

    it('grants a takeover of exactly the claim that is named', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const first = granted(await run.claim('a'));
      expect(await run.claim('a', '1', { worker: 'w2', takeover: first.token - 1 })).toMatchObject({ kind: 'busy' });
      const second = granted(await run.claim('a', '1', { worker: 'w2', takeover: first.token }));
      expect(second.token).toBeGreaterThan(first.token);
      expect(await run.claim('a', '1', { worker: 'w3', takeover: first.token })).toMatchObject({
        kind: 'busy',
        worker: 'w2',
      });
      expect(await run.settle(first, 'a')).toEqual({ kind: 'lost' });
    });

    it('grants a turn whose claim has run out', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const first = granted(await run.claim('a', '1', { leaseMs: SHORT_LEASE_MS }));
      await waitOn(bench, SHORT_LEASE_MS + 20);
      const second = granted(await run.claim('a', '1', { worker: 'w2' }));
      expect(second).toMatchObject({ claims: 2 });
      expect(second.token).toBeGreaterThan(first.token);
      expect(await run.settle(first, 'a')).toEqual({ kind: 'lost' });
    });

    it('answers unknown, with the incarnation, for a turn that never became ready', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      expect(await run.claim('b')).toEqual({ kind: 'unknown', incarnation: 'i1' });
      expect(await run.claim('a', '2')).toEqual({ kind: 'unknown', incarnation: 'i1' });
      expect(await run.claim('b', '1', { mode: 'resume' })).toEqual({ kind: 'unknown', incarnation: 'i1' });
    });

    it('answers settled, with the token that settled it', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const claim = granted(await run.claim('a'));
      accepted(await run.settle(claim, 'a'));
      expect(await run.claim('a', '1', { worker: 'w2' })).toEqual({ kind: 'settled', token: claim.token, passes: [] });
      expect(await run.claim('a', '1', { mode: 'resume' })).toMatchObject({ kind: 'settled' });
    });

    it('does not mix up runs', async () => {
      const one = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const other = await LedgerRun.open(bench.ledger, SHAPES.chain);
      await one.pass('a');
      expect(await other.claim('b')).toMatchObject({ kind: 'unknown' });
      granted(await other.claim('a'));
    });
  });

  describe('renewing', () => {
    it('keeps a claim beyond its first lease', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const claim = granted(await run.claim('a', '1', { leaseMs: 1000 }));
      expect(await bench.ledger.renew(run.runId, 'a', '1', 'w1', claim.token, LONG_LEASE_MS)).toBe('held');
      const answer = await run.claim('a', '1', { worker: 'w2' });
      expect(answer).toMatchObject({ kind: 'busy', token: claim.token });
      expect((answer as { retryInMs: number }).retryInMs).toBeGreaterThan(1000);
    });

    it('tells who has lost a claim', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const first = granted(await run.claim('a'));
      const second = granted(await run.claim('a', '1', { worker: 'w2', takeover: first.token }));
      const renew = (worker: string, token: number, node = 'a') =>
        bench.ledger.renew(run.runId, node, '1', worker, token, 1000);
      expect(await renew('w1', first.token)).toBe('lost');
      expect(await renew('w1', second.token)).toBe('lost');
      expect(await renew('w2', second.token, 'b')).toBe('lost');
      expect(await renew('w2', second.token)).toBe('held');
    });

    it('does not take a turn for lost that its own holder has settled', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const claim = granted(await run.claim('a'));
      accepted(await run.settle(claim, 'a'));
      expect(await bench.ledger.renew(run.runId, 'a', '1', 'w1', claim.token, 1000)).toBe('held');
      expect(await bench.ledger.renew(run.runId, 'a', '1', 'w1', claim.token - 1, 1000)).toBe('lost');
    });

    it('does not bring back a claim that has run out', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const claim = granted(await run.claim('a', '1', { leaseMs: SHORT_LEASE_MS }));
      await waitOn(bench, SHORT_LEASE_MS + 20);
      await bench.ledger.renew(run.runId, 'a', '1', 'w1', claim.token, LONG_LEASE_MS);
      expect(await run.settle(claim, 'a')).toEqual({ kind: 'expired' });
    });
  });

  describe('ending', () => {
    it('closes a run for claims, settling and renewal', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const claim = granted(await run.claim('a'));
      expect(await bench.ledger.end(run.runId, 'cancelled')).toBe(true);
      expect(await bench.ledger.end(run.runId, 'cancelled')).toBe(true);
      expect(await run.claim('a')).toEqual({ kind: 'closed', status: 'cancelled' });
      expect(await run.claim('zzz')).toEqual({ kind: 'closed', status: 'cancelled' });
      expect(await run.settle(claim, 'a')).toEqual({ kind: 'closed', status: 'cancelled' });
      expect(await bench.ledger.renew(run.runId, 'a', '1', 'w1', claim.token, 1000)).toBe('lost');
      expect(await run.install()).toBe(false);
    });

    it('is refused to whoever means an earlier attempt of the run: tokens as high were granted since', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const { token } = granted(await run.claim('a'));
      expect(await bench.ledger.end(run.runId, 'failed', token)).toBe(false);
      expect(await run.claim('a')).toMatchObject({ kind: 'granted' });
      const high = (await bench.ledger.now()) + 3_600_000_000;
      expect(await bench.ledger.end(run.runId, 'failed', high)).toBe(true);
      expect(await run.claim('a')).toEqual({ kind: 'closed', status: 'failed' });
      expect(await bench.ledger.end(newRunId(), 'failed', 1)).toBe(true);
    });
  });

  it('tells with a grant how often the run was retried', async () => {
    const run = new LedgerRun(bench.ledger, SHAPES.chain);
    const state = replayJournal(planBlueprint(SHAPES.chain), [], { token: 1, now: 1, graceMs: 0, maxTurns: 10 });
    state.set('z', '3');
    await bench.ledger.install(run.runId, state);
    expect(await run.claim('a')).toMatchObject({ kind: 'granted', retries: 3 });
  });
}
