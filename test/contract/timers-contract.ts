import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { turnTimer, type Timer } from '../../src/core/timer.js';
import type { TimerIndex, TimerRows } from '../../src/ports/timers.js';

export interface TimerRowsBench {
  readonly rows: TimerRows;
  close(): Promise<void>;
}

/** An index with nothing in it; `now` is its own time. */
export interface TimerIndexBench {
  /** Two processes of one fleet. */
  readonly one: TimerIndex;
  readonly other: TimerIndex;
  now(): Promise<number>;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
  /** The server loses everything. */
  lose(): Promise<void>;
  close(): Promise<void>;
}

const TIMEOUT_MS = 30_000;
const MINUTE_MS = 60_000;

const timerAt = (due: number, nodeId = 'n', runId = `run-${randomUUID()}`): Timer =>
  turnTimer(runId, { nodeId, turn: '1' }, due);

const byDue = (timers: readonly Timer[]) => [...timers].sort((a, b) => a.due - b.due);

async function all(rows: TimerRows, from: number, to: number): Promise<Timer[]> {
  return byDue(await rows.pending(from, to));
}

/** What every TimerRows must do. */
export function timerRowsContract(name: string, open: () => Promise<TimerRowsBench>): void {
  describe(`TimerRows contract: ${name}`, () => {
    let bench: TimerRowsBench;
    beforeEach(async () => {
      bench = await open();
    }, TIMEOUT_MS);
    afterEach(() => bench.close(), TIMEOUT_MS);

    it(
      'finds what is due in a span of time, its end excluded, across many buckets and shards',
      async () => {
        const { rows } = bench;
        const start = Date.now();
        const timers = Array.from({ length: 60 }, (_, i) => timerAt(start + i * MINUTE_MS, `n${i}`));
        await Promise.all(timers.map((timer) => rows.add(timer)));
        expect(await all(rows, start, start + 60 * MINUTE_MS)).toEqual(timers);
        expect(await all(rows, start + MINUTE_MS, start + 3 * MINUTE_MS)).toEqual(timers.slice(1, 3));
        expect(await all(rows, start + 3_600_000, start + 7_200_000)).toEqual([]);
      },
      TIMEOUT_MS,
    );

    it(
      'keeps several timers of one turn and of one moment apart',
      async () => {
        const { rows } = bench;
        const due = Date.now() + 1000;
        const runId = `run-${randomUUID()}`;
        const timers: Timer[] = [
          { due, runId, kind: 'deadline', nodeId: '', turn: '' },
          { due, runId, kind: 'start', nodeId: '', turn: '' },
          { due, runId, kind: 'turn', nodeId: 'a', turn: '1/2' },
          { due, runId, kind: 'turn', nodeId: 'a"\u00e4', turn: 'b:1' },
        ];
        for (const timer of timers) await rows.add(timer);
        expect(await all(rows, due, due + 1)).toEqual(expect.arrayContaining(timers));
      },
      TIMEOUT_MS,
    );

    it(
      'does not find what is done, and adding it once more does not bring it back',
      async () => {
        const { rows } = bench;
        const [one, other] = [timerAt(Date.now()), timerAt(Date.now() + 1)];
        await rows.add(one);
        await rows.add(one);
        await rows.add(other);
        await rows.finish(one);
        await rows.finish(one);
        await rows.add(one);
        expect(await all(rows, one.due, one.due + 1000)).toEqual([other]);
      },
      TIMEOUT_MS,
    );

    it(
      'one that was done before it was ever added stays done',
      async () => {
        const timer = timerAt(Date.now());
        await bench.rows.finish(timer);
        await bench.rows.add(timer);
        expect(await all(bench.rows, timer.due, timer.due + 1)).toEqual([]);
      },
      TIMEOUT_MS,
    );

    it(
      'holds a timer that is due in thirty years',
      async () => {
        const timer = timerAt(Date.now() + 30 * 365 * 86_400_000);
        await bench.rows.add(timer);
        expect(await all(bench.rows, timer.due, timer.due + 1)).toEqual([timer]);
        await bench.rows.finish(timer);
        expect(await all(bench.rows, timer.due, timer.due + 1)).toEqual([]);
      },
      TIMEOUT_MS,
    );

    it(
      'the moment before which all is done begins shortly before the first process, and never goes back',
      async () => {
        const { rows } = bench;
        const begin = await rows.doneBefore();
        expect(begin).toBeLessThanOrEqual(Date.now());
        expect(begin).toBeGreaterThan(Date.now() - 60 * MINUTE_MS);
        await rows.setDoneBefore(begin + 5000);
        await rows.setDoneBefore(begin + 1000);
        expect(await rows.doneBefore()).toBe(begin + 5000);
      },
      TIMEOUT_MS,
    );
  });
}

/** What every TimerIndex must do. */
export function timerIndexContract(name: string, open: () => Promise<TimerIndexBench>): void {
  describe(`TimerIndex contract: ${name}`, () => {
    let bench: TimerIndexBench;
    beforeEach(async () => {
      bench = await open();
    }, TIMEOUT_MS);
    afterEach(() => bench.close(), TIMEOUT_MS);

    it(
      'gives what is due, and tells when the next one is',
      async () => {
        const { one, other } = bench;
        expect(await one.take(10, 1000)).toEqual({ due: [], knownUntil: 0 });
        const now = await bench.now();
        const [due, soon, later] = [timerAt(now - 5), timerAt(now + 5000), timerAt(now + 9000)];
        await one.add([later, due, soon]);
        const taken = await other.take(10, 60_000);
        expect(taken.due).toEqual([due]);
        expect(taken.nextInMs).toBeGreaterThan(2000);
        expect(taken.nextInMs).toBeLessThanOrEqual(5000);
      },
      TIMEOUT_MS,
    );

    it(
      'gives each to one process, and again to somebody if that one does not come back',
      async () => {
        const { one, other } = bench;
        const now = await bench.now();
        const timers = Array.from({ length: 20 }, (_, i) => timerAt(now - 20 + i, `n${i}`));
        await one.add(timers);
        const [a, b] = await Promise.all([one.take(1000, 600), other.take(1000, 600)]);
        expect(byDue([...a.due, ...b.due])).toEqual(timers);
        expect((await one.take(1000, 600)).due).toEqual([]);
        await one.remove(a.due);
        await other.remove(b.due.slice(1));
        await bench.pass(700);
        expect((await one.take(1000, 600)).due).toEqual(b.due.length > 0 ? [b.due[0]] : []);
      },
      TIMEOUT_MS,
    );

    it(
      'gives no more than about what was asked for',
      async () => {
        const now = await bench.now();
        await bench.one.add(Array.from({ length: 400 }, (_, i) => timerAt(now - 1, `n${i}`)));
        const seen = new Set<string>();
        for (let i = 0; seen.size < 400 && i < 60; i++) {
          const { due } = await bench.one.take(40, 60_000);
          expect(due.length).toBeLessThanOrEqual(40);
          for (const { nodeId } of due) seen.add(nodeId);
        }
        expect(seen.size).toBe(400);
      },
      TIMEOUT_MS,
    );

    it(
      'adding one that is there, taken or not, changes nothing; one that was removed can be added again',
      async () => {
        const { one } = bench;
        const timer = timerAt((await bench.now()) - 1);
        await one.add([timer]);
        await one.add([timer]);
        expect((await one.take(10, 60_000)).due).toEqual([timer]);
        await one.add([timer]);
        expect((await one.take(10, 60_000)).due).toEqual([]);
        await one.remove([timer]);
        await one.remove([timer]);
        await one.add([timer]);
        expect((await one.take(10, 60_000)).due).toEqual([timer]);
      },
      TIMEOUT_MS,
    );

    it(
      'knows until when it is complete, and that it does not know it any more when all is lost',
      async () => {
        const { one, other } = bench;
        const moment = (await bench.now()) + 1000;
        await one.add([timerAt(moment)]);
        await one.setKnownUntil(moment);
        expect((await other.take(10, 1000)).knownUntil).toBe(moment);
        await bench.lose();
        expect(await other.take(10, 1000)).toEqual({ due: [], knownUntil: 0 });
      },
      TIMEOUT_MS,
    );

    it(
      'takes an empty list',
      async () => {
        await bench.one.add([]);
        await bench.one.remove([]);
        expect((await bench.one.take(1, 1)).due).toEqual([]);
      },
      TIMEOUT_MS,
    );
  });
}
