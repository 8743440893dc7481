import {
  BaseDistributedAdapter,
  NullLogger,
  type JobPayload,
  type WorkflowBlueprint,
  type WorkflowResult,
} from 'flowcraft';
import { createServerDrivers } from '../composition/server-drivers.js';
import { createValueCipher } from '../drivers/encryption/aes-value-cipher.js';
import { CassandraContext } from '../drivers/cassandra/cassandra-context.js';
import { SystemClock } from '../drivers/system/system-clock.js';
import { SystemIds } from '../drivers/system/system-ids.js';
import type { Answer } from '../engine/resumer.js';
import { Engine } from '../engine/engine.js';
import { AdapterHost, type SessionHost } from './adapter-host.js';
import { engineLogger } from './adapter-logger.js';
import { driversOptionsOf, engineOptionsOf, type KafkaAdapterOptions } from './adapter-options.js';
import { about, checkAdapterOptions, warnOfUnknown } from './adapter-options-check.js';
import { AdapterSession, type AdapterEngine } from './adapter-session.js';
import { sendStartJobs } from './foreign-runs.js';
import { JobEvents } from './job-events.js';

export type { KafkaAdapterOptions } from './adapter-options.js';

/** What errors about options name. */
const NAME = 'KafkaAdapter';

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
   * The options are checked. Of those that the adapter does not know, a name that is a typing error away from one that
   * it knows is refused, as `groupid`; all others are only warned of, through the logger, so that programs written for
   * another adapter keep working. In `worker`, `limits`, `provision`, `webhooks` and `tuning` unknown names are refused.
   * @param host @internal owns the engine in place of the adapter itself
   * @throws ConfigurationError that lists every problem by its path
   */
  constructor(options: KafkaAdapterOptions, host?: SessionHost) {
    const unknown = checkAdapterOptions(options);
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
    warnOfUnknown(unknown, NAME, logger);
    const drivers = driversOptionsOf(options);
    const engineOptions = engineOptionsOf(options);
    const runtime = { ...runtimeOptions, blueprints: byKeyAndId(runtimeOptions.blueprints ?? {}) };
    const create = () => {
      const servers = createServerDrivers(drivers, environment);
      const engine = new Engine({ ...servers, ...environment }, { runtime, adapter: this, options: engineOptions });
      if (options.eventBus) new JobEvents(options.eventBus, clock, logger).observe(engine.flowcraft);
      return new AdapterSession(engine, servers, logger, clock);
    };
    this.host = host ?? new AdapterHost(() => about(NAME, create), environment);
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
   * @throws NodeNotAwaitingError, RunNotFoundError
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

/** Jobs name a blueprint by its key in the options, which need not be its id. */
function byKeyAndId(given: Record<string, WorkflowBlueprint>): Record<string, WorkflowBlueprint> {
  const blueprints: Record<string, WorkflowBlueprint> = {};
  for (const blueprint of Object.values(given)) blueprints[blueprint.id] = blueprint;
  for (const [key, blueprint] of Object.entries(given))
    blueprints[key] = blueprint.id === key ? blueprint : { ...blueprint, id: key };
  return blueprints;
}
