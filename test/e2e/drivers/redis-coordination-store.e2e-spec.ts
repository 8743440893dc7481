import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisCoordinationStore } from '../../../src/drivers/redis/redis-coordination-store.js';
import { newPrefix, REDIS_URL, removeKeys } from '../../support/redis-fixture.js';

describe('RedisCoordinationStore', () => {
  const prefix = newPrefix();
  let redis: Redis;
  let store: RedisCoordinationStore;
  beforeAll(() => {
    redis = new Redis(REDIS_URL);
    store = new RedisCoordinationStore(redis);
  });
  afterAll(async () => {
    await removeKeys(redis, prefix);
    await redis.quit();
  });
  const key = (name: string) => `${prefix}:${name}`;

  it('keeps the connection that it was given for others to use', () => {
    expect(store.redis).toBe(redis);
  });

  it('counts, and a counter always has a time to live', async () => {
    const values = await Promise.all(Array.from({ length: 20 }, () => store.increment(key('n'), 60)));
    expect(values.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(await redis.ttl(key('n'))).toBeGreaterThan(50);
  });

  it('lets one of several set a key', async () => {
    const answers = await Promise.all(['a', 'b', 'c'].map((value) => store.setIfNotExist(key('lock'), value, 60)));
    expect(answers).toEqual([true, false, false]);
    expect(await store.get(key('lock'))).toBe('a');
    expect(await redis.ttl(key('lock'))).toBeGreaterThan(50);
  });

  it('extends the time to live of what there is only', async () => {
    await store.setIfNotExist(key('long'), 'x', 10);
    expect(await store.extendTTL(key('long'), 100)).toBe(true);
    expect(await redis.ttl(key('long'))).toBeGreaterThan(90);
    expect(await store.extendTTL(key('none'), 100)).toBe(false);
  });

  it('forgets what is deleted', async () => {
    await store.setIfNotExist(key('gone'), 'x', 10);
    await store.delete(key('gone'));
    await store.delete(key('gone'));
    expect(await store.get(key('gone'))).toBeUndefined();
  });
});
