import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RunEnd, RunSignals } from '../../src/ports/run-signals.js';

/** What an author of RunSignals gives to the contract: two processes of one fleet, both connected. */
export interface RunSignalsBench {
  readonly one: RunSignals;
  readonly other: RunSignals;
  close(): Promise<void>;
}

const TIMEOUT_MS = 20_000;

/** What every RunSignals must do. `open` is called before each test. */
export function runSignalsContract(name: string, open: () => Promise<RunSignalsBench>): void {
  describe(`RunSignals contract: ${name}`, () => {
    let bench: RunSignalsBench;
    beforeEach(async () => {
      bench = await open();
    }, TIMEOUT_MS);
    afterEach(() => bench.close(), TIMEOUT_MS);
    const end = (): RunEnd => ({ runId: `run-${randomUUID()}`, status: 'completed' });

    it(
      'tells the end of a run to every process, the announcing one included',
      async () => {
        const heard = Promise.all([nextEnd(bench.one), nextEnd(bench.other)]);
        const said: RunEnd = { runId: 'r:1', status: 'awaiting' };
        await bench.one.announceEnd(said);
        expect(await heard).toEqual([said, said]);
      },
      TIMEOUT_MS,
    );

    it(
      'tells a cancellation to every process',
      async () => {
        const heard = Promise.all([nextCancel(bench.one), nextCancel(bench.other)]);
        await bench.other.announceCancel('r-2');
        expect(await heard).toEqual(['r-2', 'r-2']);
      },
      TIMEOUT_MS,
    );

    it(
      'keeps ends and cancellations apart',
      async () => {
        const cancelled: string[] = [];
        bench.other.onCancel((runId) => cancelled.push(runId));
        const heard = [nextEnd(bench.other), nextCancel(bench.other)] as const;
        await bench.one.announceEnd(end());
        await heard[0];
        await bench.one.announceCancel('r-3');
        await heard[1];
        expect(cancelled).toEqual(['r-3']);
      },
      TIMEOUT_MS,
    );

    it(
      'carries every status',
      async () => {
        for (const status of ['completed', 'failed', 'cancelled', 'awaiting'] as const) {
          const heard = nextEnd(bench.other);
          await bench.one.announceEnd({ runId: 'r', status });
          expect(await heard).toEqual({ runId: 'r', status });
        }
      },
      TIMEOUT_MS,
    );

    it(
      'tells nothing to a listener that has left, and goes on telling the others',
      async () => {
        const left: RunEnd[] = [];
        const listener = (said: RunEnd) => left.push(said);
        const leave = bench.other.onEnd(listener);
        const first = nextEnd(bench.other);
        await bench.one.announceEnd(end());
        await first;
        leave();
        leave();
        const second = nextEnd(bench.other);
        await bench.one.announceEnd(end());
        await second;
        expect(left).toHaveLength(1);
      },
      TIMEOUT_MS,
    );

    it(
      'tells the others when a listener throws',
      async () => {
        bench.other.onEnd(() => {
          throw new Error('a listener that throws');
        });
        for (let i = 0; i < 2; i++) {
          const heard = nextEnd(bench.other);
          const said = end();
          await bench.one.announceEnd(said);
          expect(await heard).toEqual(said);
        }
      },
      TIMEOUT_MS,
    );

    it(
      'tells nothing to a process that has closed',
      async () => {
        const late: RunEnd[] = [];
        bench.other.onEnd((said) => late.push(said));
        await bench.other.close();
        const heard = nextEnd(bench.one);
        await bench.one.announceEnd(end());
        await heard;
        expect(late).toEqual([]);
        await expect(bench.other.announceEnd(end())).rejects.toBeInstanceOf(Error);
        await bench.other.close();
      },
      TIMEOUT_MS,
    );
  });
}

function nextEnd(signals: RunSignals): Promise<RunEnd> {
  return new Promise((resolve) => {
    const leave = signals.onEnd((end) => {
      leave();
      resolve(end);
    });
  });
}

function nextCancel(signals: RunSignals): Promise<string> {
  return new Promise((resolve) => {
    const leave = signals.onCancel((runId) => {
      leave();
      resolve(runId);
    });
  });
}
