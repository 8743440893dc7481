import type { Clock } from '../../ports/clock.js';
import type { Logger } from '../../ports/logger.js';
import { withoutCommand } from './redis-errors.js';
import type { RedisConnection } from './redis-scripts.js';

const QUIET_MS = 10_000;

/** Tells of errors on a connection, seldom: while a server is away, ioredis reports one at each try to connect. */
export class RedisConnectionLog {
  private quietUntil = 0;
  private suppressed = 0;
  private lost = false;

  constructor(
    private readonly name: string,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /** The returned function ends it. Without a listener, ioredis prints errors to the console. */
  watch(redis: RedisConnection): () => void {
    redis.on('error', this.onError).on('ready', this.onReady);
    return () => redis.off('error', this.onError).off('ready', this.onReady);
  }

  private readonly onError = (error: unknown): void => {
    this.lost = true;
    const now = this.clock.now();
    if (now < this.quietUntil) {
      this.suppressed++;
      return;
    }
    this.quietUntil = now + QUIET_MS;
    const { suppressed } = this;
    this.suppressed = 0;
    this.logger.warn(`${this.name} has an error and is tried again.`, { error: withoutCommand(error), suppressed });
  };

  private readonly onReady = (): void => {
    if (!this.lost) return;
    this.lost = false;
    this.quietUntil = 0;
    this.suppressed = 0;
    this.logger.log(`${this.name} works again.`);
  };
}
