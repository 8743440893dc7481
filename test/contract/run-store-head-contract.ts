import { describe, expect, it } from '@jest/globals';
import type { RunRecord } from '../../src/core/run.js';
import type { RunStore } from '../../src/ports/run-store.js';
import { SHAPES } from '../support/blueprints.js';
import { runRecord } from '../support/run-records.js';

const DAY_MS = 86_400_000;

/** Accepting, ending and listing runs; blueprints. */
export function runHeadContract(store: () => RunStore): void {
  describe('accepting', () => {
    it('accepts a run and answers it as it was given', async () => {
      const run = runRecord({ tags: ['red', 'blue'], input: '{"a":"{\\"v\\":1}"}', blueprintVersion: null });
      expect(await store().accept(run)).toEqual({ accepted: true, run });
      expect(await store().run(run.runId)).toEqual(run);
    });

    it('does not know a run that nobody accepted', async () => {
      expect(await store().run(runRecord().runId)).toBeUndefined();
    });

    it('accepts an id once, and answers the run that has it', async () => {
      const run = runRecord({ input: '{"first":"1"}' });
      await store().accept(run);
      const other = { ...run, input: '{"second":"2"}', createdAt: run.createdAt + 5 };
      expect(await store().accept(other)).toEqual({ accepted: false, run });
      expect(await store().run(run.runId)).toEqual(run);
    });

    it('lets one of several concurrent starts win, and all hear of the same run', async () => {
      const run = runRecord();
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, i) => store().accept({ ...run, inputHash: `hash ${i}` })),
      );
      const winners = answers.flatMap((answer, i) => (answer.accepted ? [i] : []));
      expect(winners).toHaveLength(1);
      for (const answer of answers) expect(answer.run.inputHash).toBe(`hash ${winners[0]}`);
    });
  });

  describe('a run under an id that was made for it', () => {
    const first = ({ runId, createdAt: at }: RunRecord) => ({
      runId,
      status: 'running' as const,
      stamp: at * 1000,
      at,
    });

    it('is there with its first status, listed and running', async () => {
      const run = runRecord({ tags: ['red'], options: { deadline: 5 }, input: '{"a":"{\\"v\\":1}"}' });
      await store().create(run, first(run));
      expect(await store().run(run.runId)).toEqual(run);
      expect(await store().status(run.runId)).toEqual({ status: 'running', updatedAt: run.createdAt });
      const { runIds } = await store().list({ from: run.createdAt, to: run.createdAt, limit: 1000 });
      expect(runIds).toContain(run.runId);
      expect(await store().accept({ ...run, inputHash: 'other' })).toEqual({ accepted: false, run });
    });

    it('stays as it ended when what made it arrives once more', async () => {
      const run = runRecord();
      await store().create(run, first(run));
      expect(await store().end(run.runId, 'failed', 'why', run.createdAt + 1)).toEqual({ ended: true });
      const end = { runId: run.runId, status: 'failed' as const, reason: 'why', stamp: run.createdAt * 1000 + 1 };
      await store().writeStatus({ ...end, at: run.createdAt + 1 });
      await store().create(run, first(run));
      const ended = { ...run, status: 'failed', reason: 'why', endedAt: run.createdAt + 1 };
      expect(await store().run(run.runId)).toEqual(ended);
      expect(await store().status(run.runId)).toEqual({
        status: 'failed',
        reason: 'why',
        updatedAt: run.createdAt + 1,
      });
      expect(await store().end(run.runId, 'completed', undefined, 9)).toEqual({ ended: false, run: ended });
    });

    it('is ended by one of several, as any other', async () => {
      const run = runRecord();
      await store().create(run, first(run));
      const answers = await Promise.all(
        (['completed', 'failed', 'cancelled'] as const).map((status, i) =>
          store().end(run.runId, status, undefined, run.createdAt + i),
        ),
      );
      expect(answers.filter(({ ended }) => ended)).toHaveLength(1);
    });

    it('is ended and opened again by writes whose servers have clocks far behind its creator', async () => {
      const run = runRecord({ createdAt: Date.now() + 3_600_000 });
      await store().create(run, first(run));
      expect(await store().end(run.runId, 'failed', 'why', 1)).toEqual({ ended: true });
      expect(await store().run(run.runId)).toMatchObject({ status: 'failed' });
      const retry = { id: 'x', stamp: 5, from: [], patch: {}, keys: {} };
      expect(await store().reopen(run.runId, 0, retry)).toMatchObject({ reopened: true });
      expect(await store().run(run.runId)).toMatchObject({ status: 'running', retries: 1 });
    });
  });

  describe('ending', () => {
    it('ends a running run', async () => {
      const run = runRecord();
      await store().accept(run);
      const at = run.createdAt + 1000;
      const ended: RunRecord = { ...run, status: 'failed', endedAt: at, reason: 'node b failed' };
      expect(await store().end(run.runId, 'failed', 'node b failed', at)).toEqual({ ended: true });
      expect(await store().run(run.runId)).toEqual(ended);
    });

    it('ends a run without a reason', async () => {
      const run = runRecord();
      await store().accept(run);
      await store().end(run.runId, 'completed', undefined, run.createdAt + 1);
      expect(await store().run(run.runId)).toEqual({ ...run, status: 'completed', endedAt: run.createdAt + 1 });
    });

    it('does not end a run that has ended', async () => {
      const run = runRecord();
      await store().accept(run);
      await store().end(run.runId, 'completed', undefined, run.createdAt + 1);
      const late = await store().end(run.runId, 'cancelled', 'too late', run.createdAt + 2);
      expect(late.ended).toBe(false);
      expect(late.run).toEqual({ ...run, status: 'completed', endedAt: run.createdAt + 1 });
      expect(await store().accept(run)).toMatchObject({ accepted: false, run: { status: 'completed' } });
    });

    it('lets either the end or a concurrent cancellation win, and both hear the same', async () => {
      const run = runRecord();
      await store().accept(run);
      const answers = await Promise.all([
        store().end(run.runId, 'completed', undefined, run.createdAt + 1),
        store().end(run.runId, 'cancelled', 'asked for', run.createdAt + 2),
        store().end(run.runId, 'failed', 'broken', run.createdAt + 3),
      ]);
      expect(answers.filter((a) => a.ended)).toHaveLength(1);
      const ended = await store().run(run.runId);
      const winner = ['completed', 'cancelled', 'failed'][answers.findIndex((a) => a.ended)];
      expect(ended?.status).toBe(winner);
      for (const answer of answers) if (!answer.ended) expect(answer.run).toEqual(ended);
    });

    it('opens a run again that has ended, once for each end, and ends only the attempt that is meant', async () => {
      const run = runRecord();
      await store().accept(run);
      const retry = (id: string) => ({ id, stamp: 5, from: ['a'], patch: { k: '{"v":1}' }, keys: { a: 1 } });
      expect(await store().reopen(run.runId, 0, retry('x'))).toMatchObject({ reopened: false });
      await store().end(run.runId, 'failed', 'broken', run.createdAt + 1);
      const opened = { ...run, retries: 1, retry: retry('x') };
      expect(await store().reopen(run.runId, 0, retry('x'))).toEqual({ reopened: true, run: opened });
      expect(await store().run(run.runId)).toEqual(opened);
      // repeated by whoever did not hear the answer, and tried by another
      expect(await store().reopen(run.runId, 0, retry('x'))).toMatchObject({ reopened: true });
      expect(await store().reopen(run.runId, 0, retry('y'))).toEqual({ reopened: false, run: opened });
      expect(await store().end(run.runId, 'failed', 'late', run.createdAt + 2)).toMatchObject({ ended: false });
      expect(await store().end(run.runId, 'completed', undefined, run.createdAt + 3, 1)).toMatchObject({
        ended: true,
      });
      expect(await store().reopen(run.runId, 0, retry('z'))).toMatchObject({ reopened: false });
      expect(await store().reopen(run.runId, 1, retry('z'))).toMatchObject({ reopened: true, run: { retries: 2 } });
    });

    it('of several who open a run at once lets one win', async () => {
      const run = runRecord();
      await store().accept(run);
      await store().end(run.runId, 'cancelled', undefined, run.createdAt + 1);
      const answers = await Promise.all(
        ['a', 'b', 'c'].map((id) => store().reopen(run.runId, 0, { id, stamp: 1, patch: {}, keys: {} })),
      );
      expect(answers.filter(({ reopened }) => reopened)).toHaveLength(1);
      const winner = ['a', 'b', 'c'][answers.findIndex(({ reopened }) => reopened)];
      expect((await store().run(run.runId))?.retry?.id).toBe(winner);
    });

    it('makes no run of one that nobody accepted', async () => {
      const { runId } = runRecord();
      expect(await store().end(runId, 'cancelled', undefined, 1)).toEqual({ ended: false, run: undefined });
      expect(await store().run(runId)).toBeUndefined();
    });
  });

  describe('listing', () => {
    it('lists runs newest first, in pages, each once, over several days', async () => {
      const last = Date.now() - 5 * DAY_MS - Math.floor(Math.random() * DAY_MS);
      const runs = Array.from({ length: 11 }, (_, i) => runRecord({ createdAt: last - i * (DAY_MS / 4) }));
      for (const run of [...runs].reverse()) await store().accept(run);
      const from = last - 3 * DAY_MS;
      const found: string[] = [];
      let cursor: string | undefined;
      for (let pages = 0; pages < 30; pages++) {
        const page = await store().list({
          from,
          to: last + 1000,
          limit: 4,
          ...(cursor === undefined ? {} : { cursor }),
        });
        expect(page.runIds.length).toBeLessThanOrEqual(4);
        found.push(...page.runIds);
        cursor = page.cursor;
        if (cursor === undefined) break;
      }
      expect(cursor).toBeUndefined();
      const mine = new Set(runs.map((run) => run.runId));
      expect(found.filter((runId) => mine.has(runId))).toEqual(runs.map((run) => run.runId));
    });

    it.each(['', 'nonsense', '[]', '["x","r"]', '[1]', '{"a":1}', '[1,"no run id"]', '[null,null]'])(
      'refuses a cursor that is none: %j',
      async (cursor) => {
        const page = store().list({ from: 0, to: Date.now(), limit: 10, cursor });
        await expect(page).rejects.toMatchObject({ code: 'FLOW_ARGUMENT_INVALID' });
      },
    );

    it('lists only the time that is asked for', async () => {
      const at = Date.now() - 20 * DAY_MS - Math.floor(Math.random() * DAY_MS);
      const runs = Array.from({ length: 5 }, (_, i) => runRecord({ createdAt: at + i * 10_000 }));
      for (const run of runs) await store().accept(run);
      const { runIds } = await store().list({ from: at + 5000, to: at + 35_000, limit: 100 });
      expect(runIds).toEqual(
        runs
          .slice(1, 4)
          .map((run) => run.runId)
          .reverse(),
      );
      expect(await store().list({ from: at - 4000, to: at - 2000, limit: 100 })).toEqual({ runIds: [] });
    });
  });

  describe('blueprints', () => {
    it('answers a blueprint by its content hash', async () => {
      const [one, two] = [SHAPES.batch, { ...SHAPES.batch, metadata: { version: '2' } }];
      await store().saveBlueprint('hash-1', one);
      await store().saveBlueprint('hash-2', two);
      await store().saveBlueprint('hash-1', one);
      expect(await store().blueprint('batch', 'hash-1')).toEqual(one);
      expect(await store().blueprint('batch', 'hash-2')).toEqual(two);
      expect(await store().blueprint('batch', 'hash-3')).toBeUndefined();
      expect(await store().blueprint('another', 'hash-1')).toBeUndefined();
    });
  });
}
