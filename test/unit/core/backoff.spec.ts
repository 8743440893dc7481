import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { backoffMs } from '../../../src/core/backoff.js';

const backoff = { firstMs: 100, maxMs: 5000 };

it('the delay doubles with each attempt, up to the longest', () => {
  const longest = [0, 1, 2, 3, 4, 5, 6, 7, 1000].map((attempt) => backoffMs(backoff, attempt, 0.999999));
  expect(longest).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
});

it('the delay lies between half and all of it', () => {
  fc.assert(
    fc.property(fc.nat(10_000), fc.double({ min: 0, max: 0.999999, noNaN: true }), (attempt, random) => {
      const full = Math.min(5000, 100 * 2 ** Math.min(attempt, 10));
      const delay = backoffMs(backoff, attempt, random);
      expect(delay).toBeGreaterThanOrEqual(full / 2);
      expect(delay).toBeLessThanOrEqual(full);
    }),
  );
});
