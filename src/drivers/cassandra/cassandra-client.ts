import { setTimeout as sleep } from 'node:timers/promises';
import { Client, policies, types, type ClientOptions } from 'cassandra-driver';
import { ConfigurationError, ConnectError, IllegalStateError } from '../../core/errors.js';
import { backoffMs, type Backoff } from '../../core/backoff.js';
import type { Logger } from '../../ports/logger.js';
import { isHopeless, readable, wrongOptions } from './cassandra-errors.js';
import { guardRefresh } from './cassandra-refresh-guard.js';

export const READ_TIMEOUT_MS = 3000;
const CONNECT_TIMEOUT_MS = 2000;
const HEARTBEAT_MS = 5000;
const RECONNECT_MS = 500;
const START_TIMEOUT_MS = 30_000;
const BACKOFF: Backoff = { firstMs: 200, maxMs: 2000 };

const { consistencies } = types;
const WEAK = new Set<number>([consistencies.any, consistencies.one, consistencies.localOne]);

export interface CassandraConnectionOptions {
  /** The driver's options, contact points or a cloud bundle; or a client, which is used as it is and never shut down. */
  readonly source: ClientOptions | Client;
  /** For so long `connect` tries. Default 30000. */
  readonly connectTimeoutMs?: number;
  /** Of reads and writes; default: that of `source` if it is options, else LOCAL_QUORUM. */
  readonly consistency?: types.consistencies;
  /** Of lightweight transactions; default as above, else LOCAL_SERIAL. */
  readonly serialConsistency?: types.consistencies;
}

/** A part of the driver's Host that its types leave out. */
interface DriverHost {
  shutdown?(waitForPending: boolean): Promise<void>;
}

/** One client with what our statements need to know of it. */
export class CassandraConnection {
  readonly consistency: types.consistencies;
  readonly serialConsistency: types.consistencies;
  /** A server that does not answer in this time counts as not available. Milliseconds. */
  readonly readTimeoutMs: number;
  /** Private to the runtime, so that no inspection prints credentials. */
  readonly #client: Client;
  readonly #isOwn: boolean;
  readonly #connectTimeoutMs: number;
  readonly #closing = new AbortController();
  #opening: Promise<void> | undefined;

  constructor(
    options: CassandraConnectionOptions,
    private readonly logger: Logger,
  ) {
    const given = isClient(options.source) ? undefined : options.source;
    this.consistency = options.consistency ?? given?.queryOptions?.consistency ?? consistencies.localQuorum;
    this.serialConsistency =
      options.serialConsistency ?? given?.queryOptions?.serialConsistency ?? consistencies.localSerial;
    this.readTimeoutMs = given?.socketOptions?.readTimeout || READ_TIMEOUT_MS;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? START_TIMEOUT_MS;
    this.#isOwn = given !== undefined;
    this.#client = isClient(options.source) ? options.source : this.create(options.source);
    guardRefresh(this.#client, logger);
    if (WEAK.has(this.consistency)) {
      logger.warn(
        `Cassandra is read and written with consistency ${nameOf(this.consistency)}: what was acknowledged may be missed by the next reader. Use LOCAL_QUORUM, unless there is only one replica.`,
      );
    }
  }

  get client(): Client {
    return this.#client;
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /**
   * Opens the connection, with retries.
   * @throws ConnectError after `connectTimeoutMs`; may then be called again
   * @throws ConfigurationError at once, for options that no waiting cures
   */
  async connect(): Promise<void> {
    const end = performance.now() + this.#connectTimeoutMs;
    let failure: unknown = new Error('no answer');
    for (let attempt = 0; ; attempt++) {
      if (this.isClosed) throw new IllegalStateError('The connection to Cassandra is closed. Make a new one.');
      try {
        if (await this.tryConnect(end - performance.now())) return;
      } catch (error) {
        failure = readable(error);
        if (isHopeless(error)) throw wrongOptions(error);
        this.logger.warn(`Cassandra is not reachable yet, trying again: ${messageOf(failure)}`);
      }
      const left = end - performance.now();
      if (left > 0) await this.pause(Math.min(left, backoffMs(BACKOFF, attempt, Math.random())));
      if (performance.now() >= end)
        throw new ConnectError([{ server: 'Cassandra', cause: failure }], this.#connectTimeoutMs);
    }
  }

  /** Ends the connection, if it is our own. */
  async close(): Promise<void> {
    this.#closing.abort();
    if (!this.#isOwn) return;
    try {
      await this.#opening;
    } catch (error) {
      this.logger.debug('Cassandra was never reached', { error: messageOf(error) });
    }
    await this.#client.shutdown();
  }

  private create(options: ClientOptions): Client {
    const { keyspace, ...rest } = options;
    if (keyspace !== undefined) {
      this.logger.warn(
        `The option 'keyspace' of the Cassandra client ('${keyspace}') is not used; the module's option 'keyspace' names it.`,
      );
    }
    const client = newClient({
      ...rest,
      policies: {
        reconnection: new policies.reconnection.ConstantReconnectionPolicy(RECONNECT_MS),
        retry: new policies.retry.IdempotenceAwareRetryPolicy(new policies.retry.RetryPolicy()),
        ...options.policies,
      },
      socketOptions: { connectTimeout: CONNECT_TIMEOUT_MS, ...options.socketOptions, readTimeout: this.readTimeoutMs },
      // the driver's own default is to take any certificate
      ...(options.sslOptions ? { sslOptions: { rejectUnauthorized: true, ...options.sslOptions } } : {}),
      pooling: { heartBeatInterval: HEARTBEAT_MS, ...options.pooling },
      queryOptions: {
        ...options.queryOptions,
        consistency: this.consistency,
        serialConsistency: this.serialConsistency,
      },
    });
    client.on('log', (level: string, source: string, message: string) => {
      if (level === 'error' || level === 'warning') this.logger.debug(`Cassandra driver, ${source}: ${message}`);
    });
    this.shutDownReplacedHosts(client);
    return client;
  }

  /**
   * When all hosts were away, the driver makes new host objects and forgets the old ones, which go on connecting for
   * ever and outlive the client's shutdown; so do those that it makes while it is shut down.
   */
  private shutDownReplacedHosts(client: Client): void {
    // not by draining: a pool that has drained is open again, and what it was opening goes on
    const shutDown = (host: DriverHost) => {
      host.shutdown?.(false).catch((error: unknown) => {
        this.logger.debug('A host that the driver replaced could not be shut down', { error: messageOf(error) });
      });
    };
    client.on('hostRemove', shutDown);
    client.on('hostAdd', (host: DriverHost) => {
      if (!this.isClosed) return;
      shutDown(host);
      closeLeftover(client);
    });
  }

  /**
   * False if it took too long. The driver's connect can't be stopped: it goes on, and the next try waits for the same
   * one.
   */
  private async tryConnect(ms: number): Promise<boolean> {
    if (this.#opening === undefined) {
      this.#opening = this.open();
      const done = () => (this.#opening = undefined);
      this.#opening.then(done, done);
    }
    const timer = new AbortController();
    const late = sleep(Math.max(0, ms), false, { signal: timer.signal }).catch(() => false); // the connect was first
    try {
      return await Promise.race([this.#opening.then(() => true), late]);
    } finally {
      timer.abort();
    }
  }

  private async open(): Promise<void> {
    try {
      await this.#client.connect();
    } catch (error) {
      if (this.#isOwn) closeLeftover(this.#client);
      throw error;
    }
  }

  private async pause(ms: number): Promise<void> {
    try {
      await sleep(ms, undefined, { signal: this.#closing.signal });
    } catch (error) {
      this.logger.debug('Closed while connecting to Cassandra', { error: messageOf(error) });
    }
  }
}

export function isClient(source: ClientOptions | Client): source is Client {
  return 'execute' in source && typeof source.execute === 'function';
}

/** @throws ConfigurationError for options that the driver refuses */
function newClient(options: ClientOptions): Client {
  try {
    return new Client(options);
  } catch (error) {
    throw new ConfigurationError([{ path: 'cassandra', message: messageOf(error) }]);
  }
}

/** The driver forgets the connection over which a connect failed half-way; its socket would stay open for good. */
function closeLeftover(client: Client): void {
  const { controlConnection } = client as unknown as { controlConnection?: { connection?: { close?(): void } | null } };
  controlConnection?.connection?.close?.();
}

function nameOf(consistency: number): string {
  const names = Object.entries(consistencies) as [string, number][];
  return names.find(([, value]) => value === consistency)?.[0] ?? String(consistency);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
