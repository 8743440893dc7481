import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisClient, type RedisInput } from '../../../src/drivers/redis/redis-client.js';
import { RedisRunSignals } from '../../../src/drivers/redis/redis-run-signals.js';
import { SystemClock } from '../../../src/drivers/system/system-clock.js';
import { runSignalsContract } from '../../contract/run-signals-contract.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { newPrefix, REDIS_URL } from '../../support/redis-fixture.js';

function signalsAt(connection: RedisInput, prefix: string, logger = new RecordingLogger()): RedisRunSignals {
  const clock = new SystemClock();
  return new RedisRunSignals(new RedisClient({ connection }, clock, logger), clock, logger, { prefix });
}

runSignalsContract('Redis', async () => {
  const prefix = newPrefix();
  const [one, other] = [signalsAt(REDIS_URL, prefix), signalsAt(REDIS_URL, prefix)];
  await Promise.all([one.connect(), other.connect()]);
  return {
    one,
    other,
    close: async () => {
      await one.close();
      await other.close();
    },
  };
});

describe('Run signals over Redis', () => {
  const opened: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close();
  }, 20_000);

  const open = async (connection: RedisInput, prefix: string, logger?: RecordingLogger) => {
    const signals = signalsAt(connection, prefix, logger);
    await signals.connect();
    opened.push(() => signals.close());
    return signals;
  };
  const faulty = async () => {
    const { hostname, port } = new URL(REDIS_URL);
    const proxy = await FaultProxy.open(Number(port || 6379), hostname);
    opened.push(() => proxy.close());
    return proxy;
  };
  /** Announces again and again: what was announced while nobody could hear is lost. */
  const heard = async (from: RedisRunSignals, by: RedisRunSignals) => {
    let got = false;
    const leave = by.onCancel(() => (got = true));
    for (let i = 0; i < 300 && !got; i++) {
      await from.announceCancel('r');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    leave();
    return got;
  };

  it('are heard again after the connection was cut', async () => {
    const prefix = newPrefix();
    const proxy = await faulty();
    const [from, by] = [await open(REDIS_URL, prefix), await open(`redis://127.0.0.1:${proxy.port}`, prefix)];
    expect(await heard(from, by)).toBe(true);
    let gaps = 0;
    by.onGap(() => gaps++);
    for (let i = 0; i < 3; i++) {
      proxy.cut();
      expect(await heard(from, by)).toBe(true);
      expect(gaps).toBe(i + 1); // whoever waits for an announcement looks for itself
    }
  }, 20_000);

  it('are heard again after the connection went dead without a word', async () => {
    const prefix = newPrefix();
    const proxy = await faulty();
    const logger = new RecordingLogger();
    const [from, by] = [await open(REDIS_URL, prefix), await open(`redis://127.0.0.1:${proxy.port}`, prefix, logger)];
    proxy.set('hole');
    while (!logger.lines.some((line) => line.message.includes('subscribing connection'))) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    proxy.set('pass');
    expect(await heard(from, by)).toBe(true);
  }, 20_000);

  it('that are none are ignored', async () => {
    const prefix = newPrefix();
    const logger = new RecordingLogger();
    const signals = await open(REDIS_URL, prefix, logger);
    const ends: unknown[] = [];
    signals.onEnd((end) => ends.push(end));
    const redis = new Redis(REDIS_URL);
    opened.push(() => redis.quit());
    const bad = [
      '',
      '{',
      'null',
      '{"runId":"r"}',
      '{"runId":"{}","status":"completed"}',
      '{"runId":"r","status":"running"}',
    ];
    for (const text of bad) await redis.publish(`${prefix}:ends`, text);
    await redis.publish(`${prefix}:cancels`, 'no run id!');
    await signals.announceEnd({ runId: 'r', status: 'failed' });
    expect(await heard(signals, signals)).toBe(true);
    expect(ends).toEqual([{ runId: 'r', status: 'failed' }]);
    expect(logger.lines.filter((line) => line.level === 'warn')).toHaveLength(bad.length + 1);
  }, 20_000);

  it('use a connection of their own beside that of the caller', async () => {
    const redis = new Redis(REDIS_URL, { connectionName: 'mine' });
    opened.push(() => redis.quit());
    const signals = await open(redis, newPrefix());
    expect(await heard(signals, signals)).toBe(true);
    await signals.close();
    expect(await redis.ping()).toBe('PONG');
  }, 20_000);
});
