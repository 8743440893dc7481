import { Recent } from '../../../src/engine/recent.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('what happened lately', () => {
  it('is known for its time, which a repetition begins anew', () => {
    const clock = new ManualClock();
    const recent = new Recent(clock, 100, 10);
    recent.note('a');
    clock.advance(99);
    expect(recent.has('a')).toBe(true);
    recent.note('a');
    clock.advance(99);
    expect(recent.has('a')).toBe(true);
    clock.advance(1);
    expect(recent.has('a')).toBe(false);
  });

  it('is at least the latter half of the most, and never more', () => {
    const recent = new Recent(new ManualClock(), 100, 10);
    for (let i = 0; i < 103; i++) recent.note(String(i));
    const known = Array.from({ length: 103 }, (_, i) => i).filter((i) => recent.has(String(i)));
    expect(known.length).toBeLessThanOrEqual(10);
    expect(known.slice(-5)).toEqual([98, 99, 100, 101, 102]);
  });
});
