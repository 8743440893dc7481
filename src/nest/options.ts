import type { Client, ClientOptions } from 'cassandra-driver';
import type { DIContainer, RuntimeOptions, WorkflowBlueprint } from 'flowcraft';
import type { Kafka, KafkaConfig } from 'kafkajs';
import type { DriverTuning } from '../composition/server-drivers.js';
import type { EncryptionSource } from '../drivers/encryption/encryption-keys.js';
import type { RedisInput } from '../drivers/redis/redis-client.js';
import type { BlueprintSource } from './blueprint-source.js';
import type { WebhookOptions } from './webhooks/webhook-options.js';

/** What is done at start about a topic, a keyspace or tables: make what is missing, demand that it is there, or nothing. */
export type ProvisionMode = 'create' | 'verify' | 'off';

/** What to do with blueprints that name a node type which nobody registered. */
export type UnknownNodesMode = 'refuse' | 'fail';

/** The worker of this process. */
export interface WorkerOptions {
  /**
   * Whether this process executes nodes. False: it starts runs, answers for them and sweeps, and needs the blueprints
   * alone, not the code of their nodes.
   * @default true
   */
  enabled?: boolean;
  /**
   * Whether the worker starts when the application has started. False: call `FlowcraftWorker.start()`.
   * @default true
   */
  autoStart?: boolean;
  /**
   * Nodes that execute at a time.
   * @default 512
   */
  concurrency?: number;
  /**
   * When the application closes, running nodes get so long to end, in milliseconds. What does not end is aborted and
   * executed again by another worker.
   * @default 30000
   */
  drainTimeoutMs?: number;
  /**
   * A claim of a node holds for so long without renewal, in milliseconds. Renewed while the node runs; another worker
   * waits for so long before it takes over a node of a worker that was lost.
   * @default 12000
   */
  leaseMs?: number;
  /**
   * A worker that did not say for so long that it lives counts as dead, in milliseconds.
   * @default 6000
   */
  livenessMs?: number;
  /**
   * A node that goes on in the worker which executed the node before it gets a message of its own only if the work there
   * takes longer than this, in milliseconds. 0: each node gets one at once, which costs about a quarter more.
   * @default 1000
   */
  emitDelayMs?: number;
  /**
   * No offset of the topic is held for longer, in milliseconds: the job of a node that runs on is written again at the
   * end of the topic.
   * @default 30000
   */
  maxHoldMs?: number;
  /**
   * A job whose blueprint or node type this worker lacks goes back to the topic for so long, in milliseconds, since
   * another worker may know it; then it becomes a dead letter.
   * @default 300000
   */
  unroutableGraceMs?: number;
  /**
   * How long such a job waits until it is tried again, in milliseconds.
   * @default 2000
   */
  unroutableDelayMs?: number;
}

/** FlowcraftClient. */
export interface FlowcraftClientOptions {
  /**
   * A call ends within so long, in milliseconds, with an error if a server is away. `waitForWorkflow()` has a time of
   * its own.
   * @default 15000
   */
  callTimeoutMs?: number;
}

/** The sweep that finds runs which make no progress. */
export interface ReconcilerOptions {
  /**
   * Whether this process sweeps. One process of a fleet sweeps at a time, so it may be on everywhere.
   * @default true
   */
  enabled?: boolean;
  /**
   * When, as a cron expression with five or six fields.
   * @default '0 * * * * *' (every minute)
   */
  cron?: string;
  /**
   * A run that made no progress for so long is asked to go on. Seconds.
   * @default 300
   */
  stalledThresholdSeconds?: number;
  /**
   * At most so many runs in one sweep.
   * @default 1000
   */
  maxRunsPerSweep?: number;
}

/** What the module creates on the servers when the application starts. */
export interface ProvisionOptions {
  /**
   * The topic of the jobs and that of the dead letters.
   * @default 'create'
   */
  topic?: ProvisionMode;
  /** @default 'create' */
  keyspace?: ProvisionMode;
  /**
   * The tables, and columns that they lack.
   * @default 'create'
   */
  tables?: ProvisionMode;
  /**
   * Partitions of a jobs topic that is created: the most workers that can share the work.
   * @default 12
   */
  partitions?: number;
  /**
   * Replicas of topics that are created; -1: as the broker is configured.
   * @default -1
   */
  topicReplication?: number;
  /**
   * Copies of each row of a keyspace that is created, or copies by data centre, as `{ dc1: 3 }`.
   * @default 1
   */
  keyspaceReplication?: number | Record<string, number>;
}

export interface LimitOptions {
  /**
   * Bytes of one value of a context, serialized. A node whose output exceeds it fails.
   * @default 1048576 (1 MiB)
   */
  maxValueBytes?: number;
  /**
   * Levels of objects and arrays in one value; at most 1500, beyond which JSON itself may fail.
   * @default 1000
   */
  maxValueDepth?: number;
  /**
   * Bytes that are written at once: of an initial context, and of all that a node writes. Must lie below what Cassandra
   * takes as one mutation (half of `commitlog_segment_size`; 16 MiB by default).
   * @default 4194304 (4 MiB)
   */
  maxContextBytes?: number;
  /**
   * Bytes of a stored result. A larger one is stored without its context, which is put together when it is read.
   * @default 1048576 (1 MiB)
   */
  maxResultBytes?: number;
  /**
   * Dynamic nodes that one execution of a node may add to its run. The items of a batch are not counted: they are added
   * a few at a time.
   * @default 10000
   */
  maxFanOut?: number;
  /**
   * Nodes of a blueprint. A larger one is refused when it is registered.
   * @default 5000
   */
  maxBlueprintNodes?: number;
  /**
   * Node executions of one run, as a guard against endless loops.
   * @default 10000
   */
  maxTurnsPerRun?: number;
  /**
   * A subflow that would lie more levels below the run at the top is not started: its node fails.
   * @default 100
   */
  maxSubflowDepth?: number;
}

export interface BlueprintOptions {
  /**
   * `refuse`: `start()` of a blueprint that names a node type which is not registered throws
   * NodeImplementationMissingError, and nothing is written; a job for such a node goes back to the topic, for workers
   * that know it. `fail`: the run starts, and such a node fails as in flowcraft.
   *
   * A process with `worker.enabled: false` executes no nodes and need not have their code: unless this option is given
   * there, it refuses no blueprint for node types that it lacks.
   * @default 'refuse' in processes that execute nodes
   */
  unknownNodes?: UnknownNodesMode;
}

/** flowcraft's RuntimeOptions; its blueprints may also be flows of `createFlow()`. */
export type FlowcraftRuntimeOptions = Omit<RuntimeOptions, 'blueprints'> & {
  blueprints?: Record<string, WorkflowBlueprint | BlueprintSource>;
};

/** Options of `FlowcraftKafkaModule`. All but the three connections have defaults. */
export interface FlowcraftKafkaOptions {
  /** The options of kafkajs, or an instance of yours. */
  kafka?: KafkaConfig | Kafka;
  /** The options of cassandra-driver (contact points or a cloud bundle), or a client of yours, which is never shut down. */
  cassandra?: ClientOptions | Client;
  /**
   * A `redis://` or `rediss://` URL, the options of ioredis (`sentinels` included), `{ cluster: [{ host, port }], options }`,
   * or a connection of yours, which is never closed.
   */
  redis?: RedisInput;
  /**
   * True: no servers at all. Everything is kept in this process and ends with it; for tests and development.
   * @default false
   */
  embedded?: boolean;
  /**
   * flowcraft's RuntimeOptions (registry, blueprints, evaluator, serializer, middleware, eventBus, dependencies,
   * logger), or its DIContainer.
   * @default {}
   */
  runtime?: FlowcraftRuntimeOptions | DIContainer;
  /**
   * The Kafka topic of the jobs; dead letters go to `<topicName>.dead`.
   * @default 'flowcraft-jobs'
   */
  topicName?: string;
  /**
   * The Kafka consumer group that all workers of the fleet share.
   * @default 'flowcraft-worker-group'
   */
  groupId?: string;
  /**
   * The Cassandra keyspace of all tables.
   * @default 'flowcraft_ks'
   */
  keyspace?: string;
  /**
   * The table of initial contexts.
   * @default 'contexts'
   */
  contextTableName?: string;
  /**
   * The table of statuses and results.
   * @default 'statuses'
   */
  statusTableName?: string;
  /**
   * What all keys in Redis begin with.
   * @default 'flowcraft'
   */
  redisKeyPrefix?: string;
  worker?: WorkerOptions;
  client?: FlowcraftClientOptions;
  reconciler?: ReconcilerOptions;
  provision?: ProvisionOptions;
  limits?: LimitOptions;
  /**
   * Encrypts what is stored of runs: initial contexts, values, outputs, results, errors. Keys of 32 random bytes by id,
   * one of which is written with; or a function that fetches them.
   * @default nothing is encrypted
   */
  encryption?: EncryptionSource;
  blueprints?: BlueprintOptions;
  /**
   * Calls from outside at which waiting nodes go on. Given: the endpoint is mounted.
   * @default no endpoint, and no URLs
   */
  webhooks?: WebhookOptions;
  /**
   * How long the start of the application waits for each server, in milliseconds, before it fails.
   * @default 30000
   */
  connectTimeoutMs?: number;
  /** Settings of single drivers; their defaults are measured, change them only for a reason. */
  tuning?: DriverTuning;
}

/** A class that gives the options, for `forRootAsync({ useClass })` and `useExisting`. */
export interface FlowcraftKafkaOptionsFactory {
  createFlowcraftKafkaOptions(): Promise<FlowcraftKafkaOptions> | FlowcraftKafkaOptions;
}

/** Options of the module itself, given beside the others. */
export interface FlowcraftKafkaModuleExtras {
  /**
   * Whether FlowcraftClient and the other injectables are available in all modules without an import.
   * @default true
   */
  isGlobal?: boolean;
}
