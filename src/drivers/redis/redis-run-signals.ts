import { IllegalStateError } from '../../core/errors.js';
import { isRunId } from '../../core/identifiers.js';
import { isEndStatus } from '../../core/run.js';
import type { Clock } from '../../ports/clock.js';
import type { Logger } from '../../ports/logger.js';
import type { RunEnd, RunSignals } from '../../ports/run-signals.js';
import type { RedisClient } from './redis-client.js';
import { RedisKeys } from './redis-keys.js';
import { RedisSubscriber } from './redis-subscriber.js';

export interface RedisRunSignalsOptions {
  /** First part of every channel. Default `flowcraft`. */
  readonly prefix?: string;
}

/**
 * Announcements by publish and subscribe, on a connection of its own that stands from `connect` on: who begins to
 * listen then hears what is announced from that moment.
 */
export class RedisRunSignals implements RunSignals {
  private readonly keys: RedisKeys;
  private readonly ends = new Set<(end: RunEnd) => void>();
  private readonly cancels = new Set<(runId: string) => void>();
  private readonly gaps = new Set<() => void>();
  private readonly subscriber: RedisSubscriber;
  private connected = false;

  constructor(
    private readonly client: RedisClient,
    clock: Clock,
    private readonly logger: Logger,
    options: RedisRunSignalsOptions = {},
  ) {
    this.keys = new RedisKeys(options.prefix ?? 'flowcraft');
    this.subscriber = new RedisSubscriber(client, clock, logger, {
      receive: (channel, text) => this.receive(channel, text),
      hears: () => this.tell(this.gaps, undefined),
    });
  }

  async connect(): Promise<void> {
    if (this.connected) return;
    await this.client.connect();
    this.connected = true;
    await this.subscriber.open([this.keys.channel('ends'), this.keys.channel('cancels')]);
  }

  async close(): Promise<void> {
    if (!this.connected) return;
    this.connected = false;
    this.ends.clear();
    this.cancels.clear();
    this.gaps.clear();
    await this.subscriber.close();
    await this.client.close();
  }

  async announceEnd(end: RunEnd): Promise<void> {
    await this.publish('ends', JSON.stringify({ runId: end.runId, status: end.status }));
  }

  async announceCancel(runId: string): Promise<void> {
    await this.publish('cancels', runId);
  }

  onEnd(listener: (end: RunEnd) => void): () => void {
    return subscribe(this.ends, listener);
  }

  onCancel(listener: (runId: string) => void): () => void {
    return subscribe(this.cancels, listener);
  }

  onGap(listener: () => void): () => void {
    return subscribe(this.gaps, listener);
  }

  private async publish(kind: 'ends' | 'cancels', text: string): Promise<void> {
    if (!this.connected)
      throw new IllegalStateError(
        'The run signals are not connected. Call connect() first, and announce nothing after close().',
      );
    await this.client.call('publish', (redis) => redis.publish(this.keys.channel(kind), text));
  }

  private receive(channel: string, text: string): void {
    if (channel === this.keys.channel('cancels')) {
      if (isRunId(text)) this.tell(this.cancels, text);
      else this.ignore(channel);
      return;
    }
    const end = parseEnd(text);
    if (end) this.tell(this.ends, end);
    else this.ignore(channel);
  }

  private tell<T>(listeners: ReadonlySet<(event: T) => void>, event: T): void {
    for (const listener of [...listeners]) {
      try {
        listener(event);
      } catch (error) {
        this.logger.error('A listener of run signals threw.', { error });
      }
    }
  }

  private ignore(channel: string): void {
    this.logger.warn(`A message on the Redis channel '${channel}' is no run signal and was ignored.`);
  }
}

function parseEnd(text: string): RunEnd | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // reported by the caller
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { runId, status } = value as Record<string, unknown>;
  if (!isRunId(runId) || typeof status !== 'string') return undefined;
  return status === 'awaiting' || isEndStatus(status) ? { runId, status } : undefined;
}

/** The same function may listen twice: each subscription ends by itself. */
function subscribe<T>(listeners: Set<(event: T) => void>, listener: (event: T) => void): () => void {
  const own = (event: T) => listener(event);
  listeners.add(own);
  return () => {
    listeners.delete(own);
  };
}
