import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { OffsetTracker } from '../../../src/core/offset-tracker.js';

describe('the committable offset', () => {
  it('is none before anything was seen', () => {
    expect(new OffsetTracker().committable).toBeUndefined();
  });

  it('waits for the lowest that is not done', () => {
    const tracker = new OffsetTracker();
    for (const offset of [5n, 6n, 7n]) tracker.begin(offset);
    tracker.finish(6n);
    tracker.finish(7n);
    expect(tracker.committable).toBe(5n);
    expect(tracker.open).toBe(1);
    tracker.finish(5n);
    expect(tracker.committable).toBe(8n);
    expect(tracker.open).toBe(0);
  });

  it('is not offered again once it is committed, nor one that is lower', () => {
    const tracker = new OffsetTracker();
    tracker.begin(5n);
    tracker.finish(5n);
    tracker.markCommitted(6n);
    expect(tracker.committable).toBeUndefined();
    tracker.markCommitted(3n);
    expect(tracker.committable).toBeUndefined();
    tracker.begin(9n);
    expect(tracker.committable).toBe(9n);
    tracker.finish(9n);
    expect(tracker.committable).toBe(10n);
  });

  it('is not moved by an offset that was seen before', () => {
    const tracker = new OffsetTracker();
    tracker.begin(5n);
    tracker.finish(5n);
    tracker.begin(5n);
    expect(tracker.open).toBe(0);
    expect(tracker.committable).toBe(6n);
  });

  it('is exact beyond the numbers that a double can hold', () => {
    const offset = 2n ** 60n + 1n;
    const tracker = new OffsetTracker();
    tracker.begin(offset);
    tracker.finish(offset);
    expect(tracker.committable).toBe(offset + 1n);
  });

  it('never passes an unfinished offset, never goes back, and reaches the end', () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(gaps, fc.infiniteStream(fc.nat(1000)), (steps, choices) => {
        const draw = () => choices.next().value;
        let last = BigInt(draw());
        const offsets = steps.map((gap) => (last += BigInt(gap)));
        const tracker = new OffsetTracker();
        const unseen = [...offsets];
        const running: bigint[] = [];
        const lost: bigint[] = [];
        let committed = -1n;
        while (unseen.length > 0 || running.length > 0) {
          const begins = unseen.length > 0 && (running.length === 0 || draw() % 2 === 0);
          if (begins) {
            const next = unseen.shift() as bigint;
            tracker.begin(next);
            running.push(next);
          } else {
            const [done] = running.splice(draw() % running.length, 1);
            tracker.finish(done as bigint);
          }
          expect(tracker.open).toBe(running.length);
          const offer = tracker.committable;
          if (offer === undefined) continue;
          expect(offer).toBeGreaterThan(committed);
          lost.push(...running.filter((offset) => offset < offer), ...unseen.filter((offset) => offset < offer));
          if (draw() % 3 === 0) {
            tracker.markCommitted(offer);
            committed = offer;
          }
        }
        expect(lost).toEqual([]);
        if (committed !== last + 1n) expect(tracker.committable).toBe(last + 1n);
      }),
      { numRuns: 300 },
    );
  });
});
