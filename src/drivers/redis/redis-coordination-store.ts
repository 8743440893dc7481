import type { ICoordinationStore } from 'flowcraft';
import { defineScripts, runScript, type RedisConnection } from './redis-scripts.js';

/**
 * flowcraft's coordination store over a Redis connection of the caller's. The adapter built with it keeps its own
 * coordination over the same connection and never closes it.
 */
export class RedisCoordinationStore implements ICoordinationStore {
  constructor(readonly redis: RedisConnection) {
    defineScripts(redis);
  }

  /** Adds one, renews the time to live with it, and answers the new value. */
  async increment(key: string, ttlSeconds: number): Promise<number> {
    return Number(await runScript(this.redis, 'increment', key, ttlSeconds));
  }

  /** Answers whether the key was free. */
  async setIfNotExist(key: string, value: string, ttlSeconds: number): Promise<boolean> {
    return (await this.redis.set(key, value, 'EX', ttlSeconds, 'NX')) === 'OK';
  }

  /** Answers whether the key exists. */
  async extendTTL(key: string, ttlSeconds: number): Promise<boolean> {
    return Number(await this.redis.expire(key, ttlSeconds)) === 1;
  }

  async delete(key: string): Promise<void> {
    await this.redis.del(key);
  }

  async get(key: string): Promise<string | undefined> {
    return (await this.redis.get(key)) ?? undefined;
  }
}
