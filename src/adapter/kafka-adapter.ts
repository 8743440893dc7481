import type { Client } from 'cassandra-driver';
import {
  BaseDistributedAdapter,
  NullLogger,
  type ICoordinationStore,
  type IEventBus,
  type JobPayload,
  type RuntimeOptions,
  type WorkflowBlueprint,
  type WorkflowResult,
} from 'flowcraft';
import type { Kafka } from 'kafkajs';
import { DEFAULT_OPTIONS } from '../composition/default-options.js';
import {
  createServerDrivers,
  type DriverTuning,
  type ServerDriversOptions,
  type ServerProvisioning,
} from '../composition/server-drivers.js';
import { ConfigurationError } from '../core/errors.js';
import type { ValueCipher } from '../core/value-cipher.js';
import { createValueCipher } from '../drivers/encryption/aes-value-cipher.js';
import type { EncryptionSource } from '../drivers/encryption/encryption-keys.js';
import { CassandraContext } from '../drivers/cassandra/cassandra-context.js';
import { SystemClock } from '../drivers/system/system-clock.js';
import { SystemIds } from '../drivers/system/system-ids.js';
import type { Answer } from '../engine/resumer.js';
import type { LimitSettings, WebhookSettings, WorkerSettings } from '../engine/engine-options.js';
import { Engine } from '../engine/engine.js';
import { AdapterHost, type SessionHost } from './adapter-host.js';
import { engineLogger } from './adapter-logger.js';
import { AdapterSession, type AdapterEngine } from './adapter-session.js';
import { sendStartJobs } from './foreign-runs.js';
import { JobEvents } from './job-events.js';

/** How long one try to reach the servers takes; `start` makes as many as it needs. */
const CONNECT_TIMEOUT_MS = 10_000;

export interface KafkaAdapterOptions {
  /** Used for producer, consumer and admin clients of the adapter's own. */
  readonly kafka: Kafka;
  /** Stays yours: it is never shut down here. */
  readonly cassandraClient: Client;
  /** A RedisCoordinationStore, whose connection the adapter uses as well and never closes. */
  readonly coordinationStore: ICoordinationStore;
  /** Default 'flowcraft-jobs'. */
  readonly topicName?: string;
  /** Default 'flowcraft-worker-group'. */
  readonly groupId?: string;
  readonly keyspace: string;
  readonly contextTableName: string;
  readonly statusTableName: string;
  /** flowcraft's own: registry, blueprints, serializer, logger, ... */
  readonly runtimeOptions: RuntimeOptions;
  /** Is told `job:processed` and `job:failed`. flowcraft's other events go to `runtimeOptions.eventBus`. */
  readonly eventBus?: IEventBus;
  /** In place of the connection of the coordination store. */
  readonly redis?: ServerDriversOptions['redis'];
  /** First part of every key in Redis; the same for all workers and clients of a fleet. Default 'flowcraft'. */
  readonly redisKeyPrefix?: string;
  /** What `start` may create. Default: all that is missing. */
  readonly provision?: Partial<ServerProvisioning>;
  readonly worker?: Partial<WorkerSettings>;
  readonly limits?: Partial<LimitSettings>;
  /** Where the fleet mounts the endpoint of its webhooks; those of the Nest applications that do. */
  readonly webhooks?: Partial<WebhookSettings>;
  readonly tuning?: DriverTuning;
  /** Encrypts what is stored of runs; the same for all workers and clients of a fleet. Default: nothing is encrypted. */
  readonly encryption?: EncryptionSource;
  /** @internal in place of `encryption` */
  readonly cipher?: ValueCipher;
}

/**
 * flowcraft's distributed adapter over Kafka, Cassandra and Redis.
 *
 * The adapter opens producers, consumers and a Redis subscription of its own; `stop()` closes them. One that was not
 * started connects when a method needs it and lets go a second later, so that a script that only reconciles can end.
 */
export class KafkaAdapter extends BaseDistributedAdapter {
  private readonly host: SessionHost;
  private readonly contexts: Omit<ConstructorParameters<typeof CassandraContext>[1], 'serializer'>;

  /**
   * @param host @internal owns the engine in place of the adapter itself
   * @throws ConfigurationError
   */
  constructor(options: KafkaAdapterOptions, host?: SessionHost) {
    const { runtimeOptions } = options;
    super({
      coordinationStore: options.coordinationStore,
      runtimeOptions: { ...runtimeOptions, logger: runtimeOptions.logger ?? new NullLogger() },
      ...(options.eventBus ? { eventBus: options.eventBus } : {}),
    });
    const environment = {
      clock: new SystemClock(),
      ids: new SystemIds(),
      logger: engineLogger(runtimeOptions.logger),
    };
    const { clock, logger } = environment;
    const drivers = driversOptions(options);
    const { worker, limits, reconciler } = DEFAULT_OPTIONS;
    const { path, ttlSeconds } = DEFAULT_OPTIONS.webhooks;
    const engineOptions = {
      worker: { ...worker, ...options.worker },
      client: DEFAULT_OPTIONS.client,
      limits: { ...limits, ...options.limits },
      reconciler,
      ...(options.webhooks ? { webhooks: { path, ttlSeconds, ...options.webhooks } } : {}),
    };
    const runtime = { ...runtimeOptions, blueprints: byKeyAndId(runtimeOptions.blueprints ?? {}) };
    const create = () => {
      const servers = createServerDrivers(drivers, environment);
      const engine = new Engine({ ...servers, ...environment }, { runtime, adapter: this, options: engineOptions });
      if (options.eventBus) new JobEvents(options.eventBus, clock, logger).observe(engine.flowcraft);
      return new AdapterSession(engine, servers, logger, clock);
    };
    this.host = host ?? new AdapterHost(create, environment);
    this.contexts = {
      client: options.cassandraClient,
      keyspace: options.keyspace,
      tableName: options.contextTableName,
      maxValueBytes: engineOptions.limits.maxValueBytes,
      maxValueDepth: engineOptions.limits.maxValueDepth,
      cipher: options.cipher ?? createValueCipher(options.encryption),
    };
  }

  /**
   * Starts the worker in the background, which also looks after stalled runs once a minute. Servers that cannot be reached yet, and topics or tables that may not be
   * created, are logged and tried again until it works; `ready()` tells when.
   */
  override start(): void {
    this.host.start();
  }

  /**
   * Resolves when the worker takes jobs.
   * @throws IllegalStateError if `start` was not called, or `stop` was
   * @throws ConfigurationError if the worker can never start
   */
  ready(): Promise<void> {
    return this.host.ready();
  }

  /**
   * Lets the nodes that run end, commits what is done, and closes all that the adapter opened. The clients that it was
   * given stay open. It may be started again.
   * @throws DrainTimeoutError if nodes did not end in `worker.drainTimeoutMs`; everything is closed nevertheless
   */
  stop(): Promise<void> {
    return this.host.stop();
  }

  /**
   * Sends the nodes of a run that are due and that nobody executes again.
   * @returns the ids of these nodes
   * @throws RunNotFoundError
   */
  override async reconcile(runId: string): Promise<Set<string>> {
    return this.host.use(async (session) => {
      const { runs, prober } = session.engine;
      const run = await runs.find(runId);
      return new Set(run ? await prober.probe(run) : await sendStartJobs(runId, session));
    });
  }

  /**
   * Lets a waiting node go on.
   * @throws NodeNotAwaitingError, RunNotFoundError, RunEndedError
   */
  async resumeWithAction(runId: string, nodeId: string, answer: Answer = {}): Promise<void> {
    await this.host.use(({ engine }) => engine.client.resume(runId, nodeId, answer));
  }

  /** Processes a job that did not come from the topic. Resolves when all that it led to is settled or has a message. */
  override async handleJob({ runId, blueprintId, nodeId }: JobPayload): Promise<void> {
    await this.host.use(async ({ engine }) => {
      await engine.worker.enlist();
      await engine.handler.execute({ runId, blueprintId, nodeId });
    });
  }

  /**
   * Makes a URL at which one POST lets a node go on that waits, now or later. It is answered by the applications of the
   * fleet that mount the endpoint.
   * @throws WebhookUrlUnknownError unless `webhooks.baseUrl` is set
   * @throws WebhookTargetInvalidError if there is no such node, it does not wait any more, or its turn is not known yet
   * @throws RunNotFoundError, RunEndedError
   */
  override async registerWebhookEndpoint(runId: string, nodeId: string): Promise<{ url: string; event: string }> {
    return this.host.use(async ({ engine }) => {
      const { url, event } = await engine.client.createWebhookUrl(runId, nodeId);
      return { url, event };
    });
  }

  /** Runs `work` with the adapter's engine, connected. For what is built on the adapter. */
  use<T>(work: (session: AdapterEngine) => Promise<T>): Promise<T> {
    return this.host.use(work);
  }

  /** The context of a run as its nodes have it. */
  override createContext(runId: string): CassandraContext {
    return new CassandraContext(runId, { ...this.contexts, serializer: this.serializer });
  }

  /** Sends a job of a start node. Resolves when it is durable. */
  override async enqueueJob({ runId, blueprintId, nodeId }: JobPayload): Promise<void> {
    await this.host.use(({ drivers }) => drivers.queue.publish({ runId, blueprintId, nodeId }));
  }

  /** Ends a run. The engine ends runs by itself; this is for those who decide otherwise. */
  protected override async publishFinalResult(
    runId: string,
    { status, reason }: { status: 'completed' | 'failed'; payload?: WorkflowResult; reason?: string },
  ): Promise<void> {
    await this.host.use(({ engine }) => engine.client.end(runId, status, reason));
  }

  /** The worker takes jobs from the topic by itself. */
  protected override processJobs(): void {
    this.host.start();
  }
}

function driversOptions(options: KafkaAdapterOptions): ServerDriversOptions {
  const { topicName, groupId, redisKeyPrefix, provision } = DEFAULT_OPTIONS;
  return {
    kafka: options.kafka,
    cassandra: options.cassandraClient,
    redis: options.redis ?? connectionOf(options.coordinationStore),
    topicName: options.topicName ?? topicName,
    groupId: options.groupId ?? groupId,
    keyspace: options.keyspace,
    contextTableName: options.contextTableName,
    statusTableName: options.statusTableName,
    redisKeyPrefix: options.redisKeyPrefix ?? redisKeyPrefix,
    provision: { ...provision, ...options.provision },
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    ...(options.tuning ? { tuning: options.tuning } : {}),
    ...(options.encryption ? { encryption: options.encryption } : {}),
  };
}

/** The store may come from another copy of the package, so that `instanceof` would not know it. */
function connectionOf(store: ICoordinationStore): ServerDriversOptions['redis'] {
  const { redis } = store as { redis?: unknown };
  if (typeof redis === 'object' && redis !== null && 'defineCommand' in redis)
    return redis as ServerDriversOptions['redis'];
  const message = 'must be a RedisCoordinationStore; or give the option redis';
  throw new ConfigurationError([{ path: 'coordinationStore', message }]);
}

/** Jobs name a blueprint by its key in the options, which need not be its id. */
function byKeyAndId(given: Record<string, WorkflowBlueprint>): Record<string, WorkflowBlueprint> {
  const blueprints: Record<string, WorkflowBlueprint> = {};
  for (const blueprint of Object.values(given)) blueprints[blueprint.id] = blueprint;
  for (const [key, blueprint] of Object.entries(given))
    blueprints[key] = blueprint.id === key ? blueprint : { ...blueprint, id: key };
  return blueprints;
}
