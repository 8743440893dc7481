import { describe, expect, it } from '@jest/globals';
import { RunWaiter } from '../../../src/engine/run-waiter.js';
import type { RunSignals } from '../../../src/ports/run-signals.js';
import type { RunStore, StatusRow } from '../../../src/ports/run-store.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('whoever waits for a run', () => {
  it('looks for its end when announcements may have been missed, and not before its time else', async () => {
    let miss = () => {};
    let looks = 0;
    const row = { status: 'completed', updatedAt: 0 } satisfies StatusRow;
    const store = { status: async () => (looks++, row) } as unknown as RunStore;
    const signals = { onEnd: () => () => {}, onGap: (listener: () => void) => ((miss = listener), () => {}) };
    const clock = new ManualClock();
    const ledger = { read: () => Promise.reject(new Error('not asked')) };
    const leaving = new AbortController();
    const waiter = new RunWaiter(store, ledger, signals as unknown as RunSignals, clock, leaving.signal);
    waiter.listen();
    waiter.expect('r');
    const wait = waiter.wait('r', {});
    clock.advance(900);
    for (let i = 0; i < 20; i++) await Promise.resolve();
    expect(looks).toBe(0);
    miss();
    expect(await wait).toEqual({ status: 'completed', row, timedOut: false });
    expect({ looks, timers: clock.pending }).toEqual({ looks: 1, timers: 0 });
  });
});
