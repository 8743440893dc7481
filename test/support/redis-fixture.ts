import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { RedisClient, type RedisInput } from '../../src/drivers/redis/redis-client.js';
import { RedisLedger, type RedisLedgerOptions } from '../../src/drivers/redis/redis-ledger.js';
import { SystemClock } from '../../src/drivers/system/system-clock.js';
import { RecordingLogger } from './recording-logger.js';

export const REDIS_URL = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';

export function newPrefix(): string {
  return `test-${randomUUID()}`;
}

/** A connected ledger with nothing in it, and the means to look behind it. */
export class RedisFixture {
  readonly logger = new RecordingLogger();
  readonly client: RedisClient;
  readonly ledger: RedisLedger;

  constructor(
    connection: RedisInput = REDIS_URL,
    readonly prefix = newPrefix(),
    options: Omit<RedisLedgerOptions, 'prefix'> = {},
    connectTimeoutMs = 10_000,
  ) {
    this.client = new RedisClient({ connection, connectTimeoutMs }, new SystemClock(), this.logger);
    this.ledger = new RedisLedger(this.client, { prefix: this.prefix, ...options });
  }

  static async open(...args: ConstructorParameters<typeof RedisFixture>): Promise<RedisFixture> {
    const fixture = new RedisFixture(...args);
    await fixture.ledger.connect();
    return fixture;
  }

  /** Removes what the test has written. */
  async clear(): Promise<void> {
    await this.client.call('clear', async (redis) => removeKeys(redis as Redis, this.prefix));
  }

  async close(): Promise<void> {
    await this.clear();
    await this.ledger.close();
  }
}

export async function removeKeys(redis: Redis, prefix: string): Promise<void> {
  for await (const keys of redis.scanStream({ match: `${prefix}:*`, count: 1000 })) {
    for (const key of keys as string[]) await redis.unlink(key);
  }
}
