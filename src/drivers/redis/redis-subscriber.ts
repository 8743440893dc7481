import type { Clock } from '../../ports/clock.js';
import type { Logger } from '../../ports/logger.js';
import type { RedisClient } from './redis-client.js';
import { RedisConnectionLog } from './redis-connection-log.js';
import { withoutCommand } from './redis-errors.js';
import type { RedisConnection } from './redis-scripts.js';

const PING_MS = 5000;
const PATIENCE_MS = 1000;

/**
 * A connection of its own that receives what is published on the channels that are wanted. It subscribes again
 * whenever it had to connect again, and asks the server now and then: a connection that only listens would never
 * notice that the other side is gone.
 */
export class RedisSubscriber {
  private readonly channels = new Set<string>();
  private connection: RedisConnection | undefined;
  private unwatch = () => {};
  private cancelPing = () => {};
  private isOpen = false;
  private readonly tasks = new Set<Promise<void>>();

  constructor(
    private readonly client: RedisClient,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly receive: (channel: string, text: string) => void,
  ) {}

  open(): void {
    this.isOpen = true;
    if (this.channels.size > 0) this.start();
  }

  want(channel: string): void {
    if (this.channels.has(channel)) return;
    this.channels.add(channel);
    if (!this.isOpen) return;
    if (!this.connection) this.start();
    else if (this.connection.status === 'ready') this.subscribe(this.connection);
  }

  /** Resolves when no subscription is under way any more, successful or not; at the latest after a second. */
  async settled(): Promise<void> {
    if (this.tasks.size === 0) return;
    let cancel = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.clock.after(PATIENCE_MS, resolve);
    });
    await Promise.race([late, this.finished()]);
    cancel();
  }

  async close(): Promise<void> {
    this.isOpen = false;
    this.cancelPing();
    this.channels.clear();
    const redis = this.connection;
    this.connection = undefined;
    if (!redis) return;
    await this.client.hangUp(redis);
    await this.finished();
    redis.removeAllListeners('message').removeAllListeners('ready');
    this.unwatch();
  }

  private start(): void {
    const redis = this.client.duplicate();
    this.connection = redis;
    this.unwatch = new RedisConnectionLog('The subscribing connection to Redis', this.clock, this.logger).watch(redis);
    redis.on('message', (channel: string, text: string) => this.receive(channel, text));
    redis.on('ready', () => this.subscribe(redis));
    this.track(redis.connect());
    this.schedulePing();
  }

  private subscribe(redis: RedisConnection): void {
    this.track(redis.subscribe(...this.channels));
  }

  /** What fails here is tried again when the connection is ready again. */
  private track(work: Promise<unknown>): void {
    const task = work
      .then(
        () => {},
        (error: unknown) => {
          if (this.isOpen) this.logger.warn('Redis did not take a subscription.', { error: withoutCommand(error) });
        },
      )
      .finally(() => this.tasks.delete(task));
    this.tasks.add(task);
  }

  /** Being ready begins the subscription: one task may bring the next. */
  private async finished(): Promise<void> {
    while (this.tasks.size > 0) await Promise.all(this.tasks);
  }

  private schedulePing(): void {
    this.cancelPing = this.clock.after(PING_MS, () => {
      const redis = this.connection;
      if (!redis) return;
      // a cluster watches its own subscribing connection
      if (redis.status === 'ready' && !redis.isCluster) this.track(redis.ping());
      this.schedulePing();
    });
  }
}
