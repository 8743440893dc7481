import { groupBy } from '../../core/group-by.js';
import { timerKey, timerOfKey, type Timer } from '../../core/timer.js';
import type { DueTimers, TimerIndex } from '../../ports/timers.js';
import { Parts } from './ledger-messages.js';
import type { RedisClient } from './redis-client.js';
import { RedisKeys } from './redis-keys.js';
import { runScript } from './redis-scripts.js';

const HEAD = 3;

export interface RedisTimerIndexOptions {
  /** First part of every key. Default `flowcraft`. */
  readonly prefix?: string;
}

/** The timers that are due soon, in sorted sets by time. Time is that of the server. */
export class RedisTimerIndex implements TimerIndex {
  private readonly keys: RedisKeys;
  private connected = false;

  constructor(
    private readonly client: RedisClient,
    options: RedisTimerIndexOptions = {},
  ) {
    this.keys = new RedisKeys(options.prefix ?? 'flowcraft');
  }

  async connect(): Promise<void> {
    if (this.connected) return;
    await this.client.connect();
    this.connected = true;
  }

  async close(): Promise<void> {
    if (!this.connected) return;
    this.connected = false;
    await this.client.close();
  }

  async add(timers: readonly Timer[]): Promise<void> {
    const calls = [...this.byShard(timers)].map(([set, own]) => {
      const members = own.flatMap((timer) => [String(timer.due), timerKey(timer)]);
      return this.client.call('add', (redis) => redis.zadd(set, 'NX', ...members));
    });
    await Promise.all(calls);
  }

  async take(limit: number, holdMs: number): Promise<DueTimers> {
    const shards = this.keys.timerShards();
    const share = Math.max(1, Math.ceil(limit / shards.length));
    const replies = await Promise.all(
      shards.map(({ set, known }) =>
        this.client.call('take', (redis) => runScript(redis, 'take', set, known, share, holdMs)),
      ),
    );
    const due: Timer[] = [];
    let knownUntil = Infinity;
    let nextInMs = Infinity;
    for (const reply of replies) {
      const parts = new Parts('take', reply);
      const next = parts.optional(1);
      if (next !== undefined) nextInMs = Math.min(nextInMs, Math.max(0, Number(next) - parts.number(0)));
      knownUntil = Math.min(knownUntil, Number(parts.optional(2) ?? 0));
      for (let i = HEAD; i < parts.length; i++) {
        const timer = timerOfKey(parts.text(i));
        if (timer) due.push(timer);
      }
    }
    return { due, knownUntil, ...(nextInMs === Infinity ? {} : { nextInMs }) };
  }

  async remove(timers: readonly Timer[]): Promise<void> {
    const calls = [...this.byShard(timers)].map(([set, own]) =>
      this.client.call('remove', (redis) => redis.zrem(set, ...own.map((timer) => timerKey(timer)))),
    );
    await Promise.all(calls);
  }

  async setKnownUntil(moment: number): Promise<void> {
    const calls = this.keys
      .timerShards()
      .map(({ known }) => this.client.call('setKnownUntil', (redis) => redis.set(known, String(moment))));
    await Promise.all(calls);
  }

  private byShard(timers: readonly Timer[]): Map<string, Timer[]> {
    return groupBy(timers, ({ runId }) => this.keys.timers(runId).set);
  }
}
