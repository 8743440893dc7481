import { nearName } from '../../../src/core/near-name.js';

const KNOWN = ['kafka', 'groupId', 'worker', 'limits', 'redis', 'runtimeOptions'];

describe('the name that is meant', () => {
  it.each([
    ['groupid', 'groupId'],
    ['gruopId', 'groupId'],
    ['limit', 'limits'],
    ['runtimeOptoins', 'runtimeOptions'],
    ['kafak', 'kafka'],
  ])('by %s is %s', (given, meant) => {
    expect(nearName(given, KNOWN)).toBe(meant);
  });

  it.each(['logger', 'metrics', 'queue', 'x', '', 'redisUrl'])('is none of them by %j', (given) => {
    expect(nearName(given, KNOWN)).toBeUndefined();
  });
});
