import { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { RedisClient } from '../../../../src/drivers/redis/redis-client.js';
import { SystemClock } from '../../../../src/drivers/system/system-clock.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

/** A connection that answers all it is asked, and notes what happens to its sockets. */
class Connection extends EventEmitter {
  readonly noted: string[] = [];
  readonly status = 'ready';
  readonly isCluster = false;
  readonly options = { commandTimeout: 1000, enableOfflineQueue: false };
  stream = this.socket('a');

  socket(name: string) {
    return { cork: () => this.noted.push(`cork ${name}`), uncork: () => this.noted.push(`uncork ${name}`) };
  }

  defineCommand(): void {}

  config(): Promise<string[]> {
    return Promise.resolve(['maxmemory-policy', 'noeviction']);
  }

  get(key: string): Promise<string> {
    this.noted.push(`get ${key}`);
    return Promise.resolve(key);
  }
}

async function open(): Promise<{ redis: Connection; client: RedisClient }> {
  const redis = new Connection();
  const options = { connection: redis as unknown as Redis };
  const client = new RedisClient(options, new SystemClock(), new RecordingLogger());
  await client.connect();
  redis.noted.length = 0;
  return { redis, client };
}

const get = (client: RedisClient, key: string) => client.call('get', (redis) => redis.get(key));

describe('the connection to Redis', () => {
  it('gets the commands of one moment in one write, and those of the next in another', async () => {
    const { redis, client } = await open();
    expect(await Promise.all(['1', '2', '3'].map((key) => get(client, key)))).toEqual(['1', '2', '3']);
    await nextTurn();
    expect(redis.noted).toEqual(['cork a', 'get 1', 'get 2', 'get 3', 'uncork a']);
    redis.noted.length = 0;
    await get(client, '4');
    await nextTurn();
    expect(redis.noted).toEqual(['cork a', 'get 4', 'uncork a']);
    await client.close();
  });

  it('sends at the end of the moment, so that what is computed until then does not count against the answer', async () => {
    const { redis, client } = await open();
    const answer = get(client, '1');
    await Promise.resolve();
    expect(redis.noted).toEqual([]);
    expect(await answer).toBe('1');
    await client.close();
  });

  it('lets go of a socket that was replaced, and of one whose command could not be sent', async () => {
    const { redis, client } = await open();
    const failing = client.call('fail', () => {
      throw new Error('not sent');
    });
    const replaced = client.call('get', () => {
      redis.stream = redis.socket('b');
      return Promise.resolve();
    });
    await Promise.allSettled([failing, replaced, get(client, '1')]);
    await nextTurn();
    for (const name of ['a', 'b']) {
      const count = (what: string) => redis.noted.filter((line) => line === `${what} ${name}`).length;
      expect(count('uncork')).toBe(count('cork'));
    }
    expect(redis.noted).toContain('uncork b');
    await client.close();
  });
});
