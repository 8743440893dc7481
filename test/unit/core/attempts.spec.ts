import { describe, expect, it } from '@jest/globals';
import { attemptPolicyOf, MAX_RETRY_DELAY_MS, retryPauseMs } from '../../../src/core/attempts.js';

const config = (given: object) => attemptPolicyOf({ config: given });

describe('the policy of attempts', () => {
  it('without a configuration is one attempt, without pause and time limit', () => {
    expect(attemptPolicyOf({})).toEqual({ maxAttempts: 1, retryDelayMs: 0, maxRetryDelayMs: MAX_RETRY_DELAY_MS });
  });

  it.each([-1, 0, Number.NaN, Infinity, '5s', null])('takes %j for no delay and no time limit', (value) => {
    const policy = config({ retryDelay: value, timeout: value, maxRetryDelay: value });
    expect(policy).toEqual({ maxAttempts: 1, retryDelayMs: 0, maxRetryDelayMs: MAX_RETRY_DELAY_MS });
  });

  it('has a cap that is never below the delay itself', () => {
    expect(config({ retryDelay: 3_600_000 }).maxRetryDelayMs).toBe(3_600_000);
    expect(config({ retryDelay: 100, maxRetryDelay: 50 }).maxRetryDelayMs).toBe(100);
  });
});

describe('the pause before the next attempt', () => {
  const policy = config({ maxRetries: 9, retryDelay: 100, maxRetryDelay: 1000 });

  it('doubles up to its cap', () => {
    expect([1, 2, 3, 4, 5, 99].map((failed) => retryPauseMs(policy, failed, 0))).toEqual([
      100, 200, 400, 800, 1000, 1000,
    ]);
  });

  it('is longer by chance, by a quarter at most', () => {
    expect(retryPauseMs(policy, 1, 0.999999)).toBe(125);
    expect(retryPauseMs(policy, 5, 0.5)).toBe(1125);
  });

  it('is none without a delay', () => {
    expect(retryPauseMs(config({ maxRetries: 3 }), 1, 0.5)).toBe(0);
  });
});
