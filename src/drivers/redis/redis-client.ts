import { Cluster, Redis, type ClusterNode, type ClusterOptions, type RedisOptions } from 'ioredis';
import { ConfigurationError, ConnectError, IllegalStateError, UnavailableError } from '../../core/errors.js';
import type { Clock } from '../../ports/clock.js';
import type { Logger } from '../../ports/logger.js';
import { RedisConnectionLog } from './redis-connection-log.js';
import { endOfMoment } from '../system/moment.js';
import { redisError, withoutCommand } from './redis-errors.js';
import { defineScripts, type RedisConnection } from './redis-scripts.js';

/** A Redis Cluster: some of its nodes, from which the others are found, and the options of ioredis for it. */
export interface RedisClusterInput {
  readonly cluster: readonly ClusterNode[];
  /** Account and TLS of the nodes are in its `redisOptions`. */
  readonly options?: ClusterOptions;
}

/**
 * A URL, the options of ioredis (`sentinels` included), the nodes of a cluster, or a connection of the caller's, which is
 * used as it is and never closed.
 */
export type RedisInput = string | RedisOptions | RedisClusterInput | Redis | Cluster;

export interface RedisClientOptions {
  readonly connection: RedisInput;
  /** For so long `connect` tries. Default 30000. */
  readonly connectTimeoutMs?: number;
  /** A command without an answer has failed after this time. Default 1000. */
  readonly commandTimeoutMs?: number;
}

const CHECK_MS = 100;

/**
 * No command is kept or sent again behind the caller's back: callers repeat what failed. The socket's timeout runs only
 * while an answer is due, so it replaces dead connections and leaves idle ones alone.
 */
const SAFE_OPTIONS = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  connectTimeout: 5000,
  socketTimeout: 2000,
  retryStrategy: (tries) => Math.min(50 * 2 ** tries, 500),
  // a master that became a replica keeps its connections
  reconnectOnError: (error) => error.message.startsWith('READONLY'),
} satisfies RedisOptions;

/** The one connection that the drivers share. Open while anyone who called `connect` has not called `close`. */
export class RedisClient {
  /** Private to the runtime, so that no inspection prints credentials. */
  readonly #options: RedisClientOptions;
  #connection: RedisConnection | undefined;
  private opening: Promise<void> | undefined;
  private users = 0;
  private unwatch = () => {};
  /** What commands are held back until all of the moment have come. */
  private gathering: Redis['stream'] | undefined;
  private readonly commandTimeoutMs: number;

  constructor(
    options: RedisClientOptions,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    this.#options = options;
    this.commandTimeoutMs = options.commandTimeoutMs ?? 1000;
  }

  /**
   * @throws ConnectError if the server cannot be reached in time; may then be called again
   * @throws ConfigurationError if it does not have the database that the options name
   */
  async connect(): Promise<void> {
    this.opening ??= this.open().catch((error: unknown) => {
      this.opening = undefined;
      throw error;
    });
    this.users++;
    try {
      await this.opening;
    } catch (error) {
      this.users--;
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.users === 0 || --this.users > 0) return;
    const redis = this.#connection;
    this.#connection = undefined;
    this.opening = undefined;
    if (redis && !isConnection(this.#options.connection)) await this.hangUp(redis);
    this.unwatch();
  }

  /** Keys of several runs, or of a run and the fleet, may lie on several servers. */
  get isCluster(): boolean {
    return isCluster(this.current);
  }

  /** The open connection. @throws IllegalStateError while there is none */
  get current(): RedisConnection {
    if (!this.#connection) throw new IllegalStateError('The connection to Redis is not open. Call connect() first.');
    return this.#connection;
  }

  /**
   * @throws UnavailableError if it may succeed later
   * @throws IllegalStateError if the client is not connected, or is closed before the answer comes
   */
  async call<T>(operation: string, send: (redis: RedisConnection) => Promise<T>): Promise<T> {
    // what else is computed in this moment takes none of the time that an answer has
    await endOfMoment();
    const redis = this.#connection;
    if (!redis)
      throw new IllegalStateError(`The connection to Redis is not open for ${operation}. Call connect() first.`);
    this.gather(redis);
    try {
      return await (bindsItself(redis) ? send(redis) : this.within(send(redis)));
    } catch (cause) {
      if (this.#connection === redis) throw redisError(operation, cause);
      throw new IllegalStateError(`The connection to Redis was closed during ${operation}.`, {
        cause: withoutCommand(cause),
      });
    }
  }

  /**
   * Commands of the same moment go to the socket as one write. Automatic pipelining, which does that too, sends nothing
   * until all of the last write is answered: one slow script would keep the others waiting, and the server idle.
   */
  private gather(redis: RedisConnection): void {
    const stream = isCluster(redis) ? undefined : redis.stream;
    if (!stream || stream === this.gathering) return;
    this.gathering = stream;
    stream.cork();
    void endOfMoment().then(() => {
      if (this.gathering === stream) this.gathering = undefined;
      stream.uncork();
    });
  }

  /** A second connection to the same server, not yet open, for subscriptions. To be given back to `hangUp`. */
  duplicate(): RedisConnection {
    const { connection } = this.#options;
    const own = {
      ...SAFE_OPTIONS,
      commandTimeout: this.commandTimeoutMs,
      lazyConnect: true,
      enableAutoPipelining: false,
      autoResubscribe: false,
    };
    if (!isConnection(connection)) return this.create(own);
    if (isCluster(connection)) return connection.duplicate([], { lazyConnect: true });
    return connection.duplicate(own);
  }

  /** Ends a connection and resolves when its socket is gone. */
  async hangUp(redis: RedisConnection): Promise<void> {
    if (redis.status === 'ready') {
      try {
        await redis.quit();
      } catch (error) {
        this.logger.debug('Redis did not answer to QUIT.', { error: withoutCommand(error) });
      }
    }
    const ended = redis.status === 'end' || redis.status === 'reconnecting' || redis.status === 'wait';
    const end = ended ? undefined : new Promise<void>((resolve) => redis.once('end', () => resolve()));
    if (redis.status !== 'end') redis.disconnect();
    await end;
  }

  private async open(): Promise<void> {
    const { connection, connectTimeoutMs = 30_000 } = this.#options;
    const redis = isConnection(connection) ? connection : this.create({});
    const unwatch = new RedisConnectionLog('The connection to Redis', this.clock, this.logger).watch(redis);
    let cause: unknown = 'no answer';
    const note = (error: unknown) => {
      cause = error;
    };
    redis.on('error', note);
    const deadline = this.clock.now() + connectTimeoutMs;
    while (redis.status !== 'ready' && this.clock.now() < deadline) {
      // after 'end' it would not try again by itself; but who ended a connection of the caller's was the caller
      if (redis.status === 'wait' || (redis.status === 'end' && redis !== connection)) redis.connect().catch(note);
      await this.readyOr(redis, Math.min(CHECK_MS, deadline - this.clock.now()));
    }
    redis.off('error', note);
    if (redis.status !== 'ready') {
      if (redis !== connection) await this.hangUp(redis);
      unwatch();
      throw new ConnectError([{ server: 'Redis', cause: withoutCommand(cause) }], connectTimeoutMs);
    }
    if (redis !== connection) {
      try {
        await this.selectDatabase(redis);
      } catch (error) {
        await this.hangUp(redis);
        unwatch();
        throw error;
      }
    }
    defineScripts(redis);
    await this.warnOfEviction(redis);
    this.unwatch = unwatch;
    this.#connection = redis;
  }

  /** ioredis does so at every connect, and goes on in database 0 if it is refused. */
  private async selectDatabase(redis: RedisConnection): Promise<void> {
    const { connectTimeoutMs = 30_000 } = this.#options;
    if (isCluster(redis)) return;
    const { db = 0 } = redis.options;
    if (Number(db) === 0) return; // text, if it comes from a URL
    try {
      await this.within(redis.select(db));
    } catch (error) {
      const cause = withoutCommand(error);
      if (redisError('selecting the database', error) instanceof UnavailableError)
        throw new ConnectError([{ server: 'Redis', cause }], connectTimeoutMs);
      const why = cause instanceof Error ? cause.message : String(cause);
      const message = `the server has no database '${db}' for this account (${why}); correct the number after the address`;
      throw new ConfigurationError([{ path: 'redis', message }], { cause });
    }
  }

  private create(overrides: RedisOptions): RedisConnection {
    const { connection } = this.#options;
    const options = { ...SAFE_OPTIONS, commandTimeout: this.commandTimeoutMs };
    if (typeof connection === 'string') return new Redis(connection, { ...options, lazyConnect: true, ...overrides });
    if (isClusterInput(connection)) return this.createCluster(connection, overrides);
    return new Redis({ ...options, ...(connection as RedisOptions), lazyConnect: true, ...overrides });
  }

  /** Its nodes connect when they are needed, so that they keep commands until then; `within` bounds how long. */
  private createCluster(
    { cluster, options }: RedisClusterInput,
    { enableAutoPipelining = true }: RedisOptions,
  ): Cluster {
    const { connectTimeout, socketTimeout, autoResendUnfulfilledCommands, reconnectOnError } = SAFE_OPTIONS;
    const node = { connectTimeout, socketTimeout, autoResendUnfulfilledCommands, reconnectOnError };
    return new Cluster([...cluster], {
      clusterRetryStrategy: SAFE_OPTIONS.retryStrategy,
      enableAutoPipelining,
      ...options,
      redisOptions: { ...node, commandTimeout: this.commandTimeoutMs, ...options?.redisOptions },
      enableOfflineQueue: false,
      lazyConnect: true,
    });
  }

  private readyOr(redis: RedisConnection, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        redis.off('ready', done);
        resolve();
      };
      const cancel = this.clock.after(ms, done);
      redis.once('ready', done);
    });
  }

  private async warnOfEviction(redis: RedisConnection): Promise<void> {
    try {
      // an account without the right to CONFIG may still have that to INFO
      const policy = await this.configuredPolicy(redis).catch(() => this.toldPolicy(redis));
      if (policy === 'noeviction') return;
      this.logger.warn(
        `Redis evicts keys when its memory is full (maxmemory-policy ${String(policy)}). Set it to noeviction: evicted runs are rebuilt again and again.`,
      );
    } catch (error) {
      this.logger.debug('The maxmemory-policy of Redis could not be read; it must be noeviction.', {
        error: withoutCommand(error),
      });
    }
  }

  private async configuredPolicy(redis: RedisConnection): Promise<unknown> {
    const reply: unknown = await this.within(redis.config('GET', 'maxmemory-policy'));
    return Array.isArray(reply) ? (reply as unknown[])[1] : Object.values((reply ?? {}) as Record<string, unknown>)[0];
  }

  private async toldPolicy(redis: RedisConnection): Promise<string> {
    const told = /^maxmemory_policy:(\S+)/m.exec(await this.within(redis.info('memory')))?.[1];
    if (told === undefined) throw new Error('INFO does not tell it.');
    return told;
  }

  private within<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.clock.after(this.commandTimeoutMs, () =>
        reject(new Error(`no answer within ${this.commandTimeoutMs} ms`)),
      );
      answer.then(resolve, reject).finally(cancel);
    });
  }
}

/** A connection may come from another copy of ioredis, so that `instanceof` would not know it. */
function isConnection(input: RedisInput): input is RedisConnection {
  return typeof input === 'object' && typeof (input as { defineCommand?: unknown }).defineCommand === 'function';
}

function isClusterInput(input: RedisInput): input is RedisClusterInput {
  return typeof input === 'object' && Array.isArray((input as { cluster?: unknown }).cluster);
}

function isCluster(redis: RedisConnection): redis is Cluster {
  return redis.isCluster;
}

/** Its commands fail by themselves when no answer comes. A cluster's wait for a node without any limit. */
function bindsItself(redis: RedisConnection): boolean {
  return !isCluster(redis) && redis.options.commandTimeout !== undefined && !redis.options.enableOfflineQueue;
}
