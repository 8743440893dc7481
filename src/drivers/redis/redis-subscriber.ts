import type { Clock } from '../../ports/clock.js';
import type { Logger } from '../../ports/logger.js';
import type { RedisClient } from './redis-client.js';
import { RedisConnectionLog } from './redis-connection-log.js';
import { withoutCommand } from './redis-errors.js';
import type { RedisConnection } from './redis-scripts.js';

const PING_MS = 5000;
const PATIENCE_MS = 1000;

/**
 * A connection of its own that receives what is published on some channels. It subscribes again whenever it had to
 * connect again, and asks the server now and then: a connection that only listens would never notice that the other
 * side is gone.
 */
export class RedisSubscriber {
  private readonly tasks = new Set<Promise<void>>();
  private connection: RedisConnection | undefined;
  private stopWatching = () => {};
  private cancelPing = () => {};

  constructor(
    private readonly client: RedisClient,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly listener: {
      readonly receive: (channel: string, text: string) => void;
      /**
       * It is subscribed: what was published before is lost. ioredis does not tell when it subscribes at another node of a
       * cluster.
       */
      readonly hears: () => void;
    },
  ) {}

  /** Resolves when it receives, or after a second without success; it goes on trying. */
  async open(channels: readonly string[]): Promise<void> {
    const redis = this.client.duplicate();
    this.connection = redis;
    const unwatch = new RedisConnectionLog('The subscribing connection to Redis', this.clock, this.logger).watch(redis);
    let done = () => {};
    const subscribed = new Promise<void>((resolve) => {
      done = resolve;
    });
    const { receive, hears } = this.listener;
    const subscribe = async () => {
      await redis.subscribe(...channels);
      hears();
      done();
    };
    const onReady = () => this.track('a subscription', subscribe());
    redis.on('message', receive).on('ready', onReady);
    this.stopWatching = () => {
      unwatch();
      redis.off('message', receive).off('ready', onReady);
    };
    this.track('a subscribing connection', redis.connect());
    this.schedulePing(redis);
    await this.patiently(subscribed);
  }

  async close(): Promise<void> {
    const redis = this.connection;
    if (!redis) return;
    this.connection = undefined;
    this.cancelPing();
    await this.client.hangUp(redis);
    await Promise.all(this.tasks);
    this.stopWatching();
  }

  /** What fails here is tried again when the connection is ready again. */
  private track(what: string, work: Promise<unknown>): void {
    const task = work
      .then(
        () => {},
        (error: unknown) => {
          if (this.connection)
            this.logger.warn(`Redis did not answer to ${what}; it is tried again.`, { error: withoutCommand(error) });
        },
      )
      .finally(() => this.tasks.delete(task));
    this.tasks.add(task);
  }

  private async patiently(work: Promise<void>): Promise<void> {
    let cancel = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.clock.after(PATIENCE_MS, resolve);
    });
    await Promise.race([late, work]);
    cancel();
  }

  private schedulePing(redis: RedisConnection): void {
    this.cancelPing = this.clock.after(PING_MS, () => {
      // a cluster watches its own subscribing connection
      if (redis.status === 'ready' && !redis.isCluster) this.track('a ping', redis.ping());
      this.schedulePing(redis);
    });
  }
}
