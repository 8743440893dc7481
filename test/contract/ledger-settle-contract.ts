import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LedgerState } from '../../src/core/ledger-state.js';
import { blueprint, SHAPES } from '../support/blueprints.js';
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

/** Settling: acceptance, repetition, claims of what fired, waits. */
export function settleContract(open: OpenLedger): void {
  let bench: LedgerBench;
  beforeEach(async () => {
    bench = await open();
  });
  afterEach(() => bench.close());

  describe('settling', () => {
    it('names what became ready and counts what is open', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.diamond);
      const answer = await run.pass('a');
      expect(answer).toMatchObject({ kind: 'accepted', open: 2, awaiting: 0, failed: false, rescued: false });
      expect(answer).not.toHaveProperty('tooManyTurnsAt');
      expect(answer.fired).toEqual([
        { node: 'b', turn: '1', passes: [] },
        { node: 'c', turn: '1', passes: [] },
      ]);
      expect(answer.token).toBeGreaterThan(0);
    });

    it('answers the same when it is repeated', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.diamond);
      const claim = granted(await run.claim('a'));
      const first = accepted(await run.settle(claim, 'a'));
      expect(await run.settle(claim, 'a')).toEqual(first);
      expect(await run.settle(claim, 'a', '1', { worker: 'w2' })).toEqual(first);
    });

    it('names only targets that are not settled yet when it is repeated later', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.diamond);
      const claim = granted(await run.claim('a'));
      accepted(await run.settle(claim, 'a'));
      await run.pass('b');
      expect(names(accepted(await run.settle(claim, 'a')).fired)).toEqual(['c@1']);
    });

    it('counts a concurrent repetition once', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.wide);
      const claim = granted(await run.claim('a'));
      const answers = await Promise.all(Array.from({ length: 6 }, () => run.settle(claim, 'a')));
      for (const answer of answers) expect(answer).toEqual(answers[0]);
      expect(accepted(await run.settle(claim, 'a')).open).toBe(5);
    });

    it('refuses another token once the turn is settled', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const claim = granted(await run.claim('a'));
      accepted(await run.settle(claim, 'a'));
      expect(await run.settle({ ...claim, token: claim.token + 1 }, 'a')).toEqual({ kind: 'lost' });
    });

    it('answers expired to a claim that ran out, and accepts it once it is claimed again', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const claim = granted(await run.claim('a', '1', { leaseMs: SHORT_LEASE_MS }));
      await waitOn(bench, SHORT_LEASE_MS + 20);
      expect(await run.settle(claim, 'a')).toEqual({ kind: 'expired' });
      const again = granted(await run.claim('a', '1', { mode: 'again', floor: claim.token }));
      expect(names(accepted(await run.settle(again, 'a')).fired)).toEqual(['b@1']);
    });

    it('answers expired for a turn that was never claimed', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      expect(await run.settle({ token: 5, passes: [] }, 'a')).toEqual({ kind: 'expired' });
      expect(await run.settle({ token: 5, passes: [] }, 'c')).toEqual({ kind: 'expired' });
    });

    it('claims as many of the fired targets for the caller as it asks for', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.wide);
      const claim = granted(await run.claim('a'));
      const { fired, token } = accepted(await run.settle(claim, 'a', '1', { claim: 2 }));
      const mine = fired.filter((f) => f.token !== undefined);
      expect(mine).toHaveLength(2);
      expect(Math.max(...mine.map((f) => f.token ?? 0))).toBe(token);
      for (const { node } of mine)
        expect(await run.claim(node, '1', { worker: 'w2' })).toMatchObject({ kind: 'busy', worker: 'w1' });
      for (const { node } of fired.filter((f) => f.token === undefined))
        granted(await run.claim(node, '1', { worker: 'w2' }));
      const own = mine[0];
      if (own?.token === undefined) throw new Error('nothing was claimed');
      accepted(await run.settle({ token: own.token, passes: own.passes }, own.node));
    });

    it('names a target that it claimed before without claiming it again', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const claim = granted(await run.claim('a'));
      const [first] = accepted(await run.settle(claim, 'a', '1', { claim: 1 })).fired;
      expect(first?.token).toBeGreaterThan(claim.token);
      expect(accepted(await run.settle(claim, 'a', '1', { claim: 1 })).fired).toEqual([
        { node: 'b', turn: '1', passes: [] },
      ]);
    });

    it('counts a claim in the same call as the first claim', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      await run.pass('a', '1', { claim: 1, leaseMs: SHORT_LEASE_MS });
      await waitOn(bench, SHORT_LEASE_MS + 20);
      expect(granted(await run.claim('b', '1', { worker: 'w2' })).claims).toBe(2);
    });

    it('makes nothing ready beyond the most turns of a run, and says where, whoever asks', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.diamond);
      await run.pass('a', '1', { maxTurns: 3 });
      const last = granted(await run.claim('c'));
      expect(await run.pass('b', '1', { maxTurns: 3 })).not.toHaveProperty('tooManyTurnsAt');
      const answer = { fired: [], tooManyTurnsAt: 'd', open: 0 };
      expect(await run.settle(last, 'c', '1', { maxTurns: 3 })).toMatchObject(answer);
      // the turn before may be the only one of which somebody still has a message
      const before = await run.claim('b', '1', { worker: 'w2' });
      if (before.kind !== 'settled') throw new Error(`b is ${before.kind}`);
      expect(await run.settle(before, 'b', '1', { worker: 'w2', maxTurns: 3 })).toMatchObject(answer);
      expect((await bench.ledger.read(run.runId)).counts()).toMatchObject({ tooManyTurnsAt: 'd' });
    });

    describe('claims that are given back', () => {
      it('leave the turns as they were, for anybody', async () => {
        const run = await LedgerRun.open(bench.ledger, SHAPES.diamond);
        const { fired } = accepted(await run.pass('a', '1', { claim: 2 }));
        const claims = fired.map(({ node, turn, token = 0 }) => ({ node, turn, token }));
        await bench.ledger.giveBack(run.runId, claims);
        const turns = (await bench.ledger.read(run.runId)).turns().filter(({ node }) => node !== 'a');
        for (const turn of turns)
          expect(turn).toMatchObject({ state: 'R', claims: 0, token: 0, worker: '', until: 0, unsent: true });
        const other = granted(await run.claim('b', '1', { worker: 'w2', sent: true }));
        expect(other).toMatchObject({ claims: 1 });
        expect(other.token).toBeGreaterThan(Math.max(...claims.map(({ token }) => token)));
        expect(await run.settle(other, 'b', '1', { worker: 'w2' })).toMatchObject({ open: 1, unsent: 1 });
      });

      it('are let be when they are not held any more', async () => {
        const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
        const [b] = accepted(await run.pass('a', '1', { claim: 1 })).fired;
        if (b?.token === undefined) throw new Error('nothing was claimed');
        const mine = { node: 'b', turn: '1', token: b.token };
        const again = granted(await run.claim('b'));
        await bench.ledger.giveBack(run.runId, [mine, { ...mine, turn: 'never' }]);
        expect(await run.settle(again, 'b')).toMatchObject({ kind: 'accepted' });
        await bench.ledger.giveBack(run.runId, [{ ...mine, token: again.token }]);
        expect(await run.claim('b')).toMatchObject({ kind: 'settled' });
        await bench.ledger.giveBack(newRunId(), [mine]);
      });

      it('change nothing in a run that has ended', async () => {
        const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
        const [b] = accepted(await run.pass('a', '1', { claim: 1 })).fired;
        await bench.ledger.end(run.runId, 'cancelled');
        await bench.ledger.giveBack(run.runId, [{ node: 'b', turn: '1', token: b?.token ?? 0 }]);
        const states = (await bench.ledger.read(run.runId)).turns().map(({ node, state }) => [node, state]);
        expect(states).toContainEqual(['b', 'C']);
      });
    });

    describe('turns that begin without a message', () => {
      const STARTS = blueprint('starts', 'a>z b>z c>z d>z');
      const turns = ['b', 'c', 'd'].map((node) => ({ node, turn: '1' }));
      const begin = async () => {
        const run = new LedgerRun(bench.ledger, STARTS);
        const state = await run.fresh();
        state.unsend(turns);
        await bench.ledger.install(run.runId, state);
        return run;
      };
      const ask = ({ runId }: LedgerRun, most: number, worker = 'w1') =>
        bench.ledger.claimUnsent(runId, { turns, worker, leaseMs: LONG_LEASE_MS, claim: most });
      const claim = async (...args: Parameters<typeof ask>) => (await ask(...args)) ?? [];

      it('are claimed together, as many as are wanted, and the others named', async () => {
        const run = await begin();
        const [b, c, d] = await claim(run, 2);
        expect([b, c, d]).toMatchObject([{ node: 'b', passes: [] }, { node: 'c' }, { node: 'd' }]);
        expect(b?.token).toBeGreaterThan(0);
        expect(c?.token).toBeGreaterThan(b?.token ?? 0);
        expect(d).not.toHaveProperty('token');
        expect(await run.claim('b', '1', { worker: 'w2' })).toMatchObject({ kind: 'busy', worker: 'w1' });
        expect(await run.claim('d', '1', { worker: 'w2' })).toMatchObject({ kind: 'granted', claims: 1 });
        expect(await run.settle({ token: b?.token ?? 0, passes: [] }, 'b')).toMatchObject({ open: 3, unsent: 2 });
      });

      it('are named to who asks again while they are open, without a claim on what is claimed', async () => {
        const run = await begin();
        const [b] = await claim(run, 3);
        await run.settle({ token: b?.token ?? 0, passes: [] }, 'b');
        const named = await claim(run, 3, 'w2');
        expect(named).toEqual(['c', 'd'].map((node) => ({ node, turn: '1', passes: [] })));
        await bench.ledger.sent(run.runId, [{ node: 'c', turn: '1' }]);
        expect((await claim(run, 3)).map(({ node }) => node)).toEqual(['d']);
      });

      it('are named while they wait', async () => {
        const run = await begin();
        const [b] = await claim(run, 1);
        await run.settle({ token: b?.token ?? 0, passes: [] }, 'b', '1', { row: { status: 'awaiting', taken: [] } });
        expect((await claim(run, 0)).map(({ node }) => node)).toEqual(['b', 'c', 'd']);
      });

      it('are none where all have messages, or the run has ended; of a run that is not known nothing is said', async () => {
        const sent = await LedgerRun.open(bench.ledger, STARTS);
        expect(await ask(sent, 3)).toEqual([]);
        const ended = await begin();
        await bench.ledger.end(ended.runId, 'cancelled');
        expect(await ask(ended, 3)).toEqual([]);
        expect(await ask(new LedgerRun(bench.ledger, STARTS), 3)).toBeUndefined();
      });

      it('may be thousands', async () => {
        const [runId, state] = [newRunId(), new LedgerState()];
        const many = Array.from({ length: 5_000 }, (_, i) => ({ node: `n${i}`, turn: '1' }));
        const starts = many.map(({ node }) => ({ node, passes: [] }));
        state.open(starts, 'i1', await bench.ledger.now());
        state.unsend(many);
        await bench.ledger.install(runId, state);
        const request = { turns: many, worker: 'w1', leaseMs: LONG_LEASE_MS, claim: 4_000 };
        const named = (await bench.ledger.claimUnsent(runId, request)) ?? [];
        expect(named.map(({ node }) => node)).toEqual(many.map(({ node }) => node));
        expect(named.filter(({ token }) => token !== undefined)).toHaveLength(4_000);
        expect((await bench.ledger.read(runId)).counts()).toMatchObject({ open: 5_000, unsent: 5_000 });
      });
    });

    describe('turns that may have no message', () => {
      const unsent = async ({ runId }: LedgerRun) =>
        (await bench.ledger.read(runId))
          .turns()
          .filter((turn) => turn.unsent)
          .map(({ node }) => node)
          .sort();

      it('are those that are claimed in the call, until they settle', async () => {
        const run = await LedgerRun.open(bench.ledger, SHAPES.diamond);
        const { fired } = accepted(await run.pass('a', '1', { claim: 1 }));
        const mine = fired.find((turn) => turn.token !== undefined);
        if (mine?.token === undefined) throw new Error('nothing was claimed');
        expect(await unsent(run)).toEqual([mine.node]);
        expect(await run.settle({ token: mine.token, passes: [] }, mine.node)).toMatchObject({ unsent: 0 });
        expect(await unsent(run)).toEqual([]);
      });

      it('are also those that such a turn makes ready, whoever executes them', async () => {
        const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
        const [b] = accepted(await run.pass('a', '1', { claim: 1 })).fired;
        if (b?.token === undefined) throw new Error('nothing was claimed');
        expect(await run.settle({ token: b.token, passes: b.passes }, 'b')).toMatchObject({ unsent: 1 });
        expect(await unsent(run)).toEqual(['c']);
        await run.pass('c');
        expect(await unsent(run)).toEqual([]);
      });

      it('stay so when they are claimed again, and when they wait', async () => {
        const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
        await run.pass('a', '1', { claim: 1, leaseMs: SHORT_LEASE_MS });
        await waitOn(bench, SHORT_LEASE_MS + 20);
        const claim = granted(await run.claim('b', '1', { worker: 'w2', mode: 'again' }));
        expect(await unsent(run)).toEqual(['b']);
        const waits = { worker: 'w2', row: { status: 'awaiting' as const, taken: [] } };
        expect(await run.settle(claim, 'b', '1', waits)).toMatchObject({ awaiting: 1, unsent: 1 });
        expect(await unsent(run)).toEqual(['b']);
      });

      it('are also those that a turn makes ready which waits from then on', async () => {
        const run = await LedgerRun.open(bench.ledger, SHAPES.any);
        await run.pass('a');
        const [first] = accepted(await run.pass('b')).fired;
        await run.pass('c');
        const claim = granted(await run.claim('d', first?.turn));
        const waits = { row: { status: 'awaiting' as const, taken: [] } };
        // the second turn of the node was queued behind it
        const answer = accepted(await run.settle(claim, 'd', first?.turn, waits));
        expect(answer).toMatchObject({ fired: [{ node: 'd' }], awaiting: 1, open: 1, unsent: 1 });
        expect(await unsent(run)).toEqual(['d']);
      });

      it('have one when somebody claims them who has it', async () => {
        const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
        await run.pass('a', '1', { claim: 1 });
        granted(await run.claim('b', '1', { sent: true }));
        expect(await unsent(run)).toEqual([]);
        expect(await run.pass('b')).toMatchObject({ unsent: 0 });
      });

      it('have one when it is said so', async () => {
        const run = await LedgerRun.open(bench.ledger, SHAPES.diamond);
        await run.pass('a', '1', { claim: 2 });
        const [b, c] = ['b', 'c'].map((node) => ({ node, turn: '1' }));
        if (!b || !c) throw new Error('unreachable');
        await bench.ledger.sent(run.runId, [b, b, { node: 'd', turn: '1' }]);
        expect(await unsent(run)).toEqual(['c']);
        await bench.ledger.sent(run.runId, [b, c]);
        expect((await bench.ledger.read(run.runId)).counts()).toMatchObject({ open: 2, unsent: 0 });
        await bench.ledger.sent(newRunId(), [b]);
      });
    });

    it('remembers that a node failed', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.diamond);
      await run.pass('a');
      expect(await run.pass('b', '1', { row: { status: 'failed', taken: [] } })).toMatchObject({
        fired: [],
        failed: true,
        open: 1,
      });
      expect(await run.pass('c')).toMatchObject({ fired: [], failed: true, rescued: false, open: 0 });
    });
  });

  describe('waiting', () => {
    it('counts a turn that waits as awaiting and not as open', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const claim = granted(await run.claim('a'));
      const wait = { row: { status: 'awaiting' as const, taken: [] } };
      const answer = accepted(await run.settle(claim, 'a', '1', wait));
      expect(answer).toMatchObject({ fired: [], open: 0, awaiting: 1 });
      expect(await run.settle(claim, 'a', '1', wait)).toEqual(answer);
      expect(await run.claim('a')).toEqual({ kind: 'awaiting' });
      expect(await run.claim('a', '1', { mode: 'again' })).toEqual({ kind: 'awaiting' });
    });

    it('lets one of several resumes have the turn, and settles it like any other', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const first = granted(await run.claim('a'));
      accepted(await run.settle(first, 'a', '1', { row: { status: 'awaiting', taken: [] } }));
      const answers = await Promise.all(
        ['w1', 'w2', 'w3'].map((worker) => run.claim('a', '1', { worker, mode: 'resume' })),
      );
      expect(answers.map((a) => a.kind).sort()).toEqual(['busy', 'busy', 'granted']);
      const index = answers.findIndex((a) => a.kind === 'granted');
      const claim = granted(answers[index] ?? { kind: 'missing' });
      expect(claim.token).toBeGreaterThan(first.token);
      expect(await run.settle(claim, 'a', '1', { worker: `w${index + 1}` })).toMatchObject({
        kind: 'accepted',
        open: 1,
        awaiting: 0,
      });
    });

    it('refuses to resume a turn that does not wait', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      expect(await run.claim('a', '1', { mode: 'resume' })).toMatchObject({ kind: 'busy', retryInMs: 0 });
      granted(await run.claim('a', '1', { worker: 'w1' }));
      expect(await run.claim('a', '1', { worker: 'w2', mode: 'resume' })).toMatchObject({ kind: 'busy', retryInMs: 0 });
    });

    it('grants a resume again to who did not hear the first answer', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const claim = granted(await run.claim('a'));
      accepted(await run.settle(claim, 'a', '1', { row: { status: 'awaiting', taken: [] } }));
      const first = granted(await run.claim('a', '1', { worker: 'w1', mode: 'resume' }));
      const second = granted(await run.claim('a', '1', { worker: 'w1', mode: 'resume' }));
      expect(second.token).toBeGreaterThan(first.token);
    });

    it('takes the old wait for lost once the turn was resumed', async () => {
      const run = await LedgerRun.open(bench.ledger, SHAPES.chain);
      const first = granted(await run.claim('a'));
      const wait = { row: { status: 'awaiting' as const, taken: [] } };
      accepted(await run.settle(first, 'a', '1', wait));
      const second = granted(await run.claim('a', '1', { mode: 'resume' }));
      expect(await run.settle(first, 'a', '1', wait)).toEqual({ kind: 'lost' });
      accepted(await run.settle(second, 'a'));
      expect(await run.settle(first, 'a', '1', wait)).toEqual({ kind: 'lost' });
    });
  });
}
