import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { RunStore } from '../../src/ports/run-store.js';
import { stamp, type RunStoreBench } from './run-store-bench.js';

/** The status row, which foreign clients read, and the rows that they write. */
export function statusContract(store: () => RunStore, bench: () => RunStoreBench): void {
  const newRun = () => `run-${randomUUID()}`;
  const AT = 1_700_000_000_000;

  describe('the status row', () => {
    it('answers what was written', async () => {
      const runId = newRun();
      expect(await store().status(runId)).toBeUndefined();
      await store().writeStatus({ runId, status: 'running', stamp: stamp(1), at: AT });
      expect(await store().status(runId)).toEqual({ status: 'running', updatedAt: AT });
      await store().writeStatus({
        runId,
        status: 'failed',
        reason: 'why',
        result: '{"context":{}}',
        stamp: stamp(2),
        at: AT + 5,
      });
      expect(await store().status(runId)).toEqual({
        status: 'failed',
        reason: 'why',
        result: '{"context":{}}',
        updatedAt: AT + 5,
      });
    });

    it('is not turned back by a late write', async () => {
      const runId = newRun();
      await store().writeStatus({ runId, status: 'completed', result: '{}', stamp: stamp(9), at: AT + 9 });
      await store().writeStatus({ runId, status: 'running', reason: 'late', stamp: stamp(5), at: AT + 50 });
      expect(await store().status(runId)).toEqual({ status: 'completed', result: '{}', updatedAt: AT + 9 });
    });

    it('forgets reason and result when the next status has none', async () => {
      const runId = newRun();
      await store().writeStatus({ runId, status: 'awaiting', reason: 'timer', result: '{}', stamp: stamp(1), at: AT });
      await store().writeStatus({ runId, status: 'running', stamp: stamp(2), at: AT + 1 });
      expect(await store().status(runId)).toEqual({ status: 'running', updatedAt: AT + 1 });
    });

    it('is not changed by a repeated write', async () => {
      const runId = newRun();
      for (let i = 0; i < 3; i++)
        await store().writeStatus({ runId, status: 'completed', result: '1', stamp: stamp(1), at: AT });
      expect(await store().status(runId)).toEqual({ status: 'completed', result: '1', updatedAt: AT });
    });

    it('moves only its time when progress is noted', async () => {
      const runId = newRun();
      await store().writeStatus({ runId, status: 'awaiting', reason: 'timer', stamp: stamp(1), at: AT });
      await store().touchStatus(runId, stamp(2), AT + 100);
      expect(await store().status(runId)).toEqual({ status: 'awaiting', reason: 'timer', updatedAt: AT + 100 });
      await store().touchStatus(runId, stamp(1) - 1, AT + 200);
      expect(await store().status(runId)).toEqual({ status: 'awaiting', reason: 'timer', updatedAt: AT + 100 });
    });

    it('stays ended however late progress is noted', async () => {
      const runId = newRun();
      await store().writeStatus({ runId, status: 'completed', result: '{}', stamp: stamp(1), at: AT });
      await store().touchStatus(runId, stamp(7), AT + 1000);
      expect(await store().status(runId)).toMatchObject({ status: 'completed', result: '{}' });
    });

    it('is not made by progress alone', async () => {
      const runId = newRun();
      await store().touchStatus(runId, stamp(1), AT);
      expect(await store().status(runId)).toBeUndefined();
    });

    it('ends with the write of the highest stamp, in whatever order they arrive', async () => {
      const runId = newRun();
      const statuses = ['running', 'awaiting', 'running', 'completed'] as const;
      const order = [3, 0, 2, 1];
      await Promise.all(
        order.map((i) => store().writeStatus({ runId, status: statuses[i] ?? 'running', stamp: stamp(i), at: AT + i })),
      );
      expect(await store().status(runId)).toEqual({ status: 'completed', updatedAt: AT + 3 });
    });
  });

  describe('rows of a foreign client', () => {
    it('are none for a run that no foreign client wrote', async () => {
      const runId = newRun();
      const foreign = await store().foreign(runId);
      expect(foreign?.data).toBeUndefined();
    });

    it('are read with the time of their writing', async () => {
      const runId = newRun();
      await bench().writeForeign(runId, '{"text":"größer"}');
      const foreign = await store().foreign(runId);
      expect(foreign?.data).toBe('{"text":"größer"}');
      expect(foreign?.stamp).toBeGreaterThan(1_600_000_000_000_000);
      expect(foreign?.stamp).toBeLessThan((Date.now() + 60_000) * 1000);
    });
  });
}
