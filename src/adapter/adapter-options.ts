import type { Client } from 'cassandra-driver';
import type { ICoordinationStore, IEventBus, RuntimeOptions } from 'flowcraft';
import type { Kafka } from 'kafkajs';
import { DEFAULT_OPTIONS } from '../composition/default-options.js';
import { limitsOf, over } from '../composition/over-defaults.js';
import type { DriverTuning, ServerDriversOptions, ServerProvisioning } from '../composition/server-drivers.js';
import type { ValueCipher } from '../core/value-cipher.js';
import type { EncryptionSource } from '../drivers/encryption/encryption-keys.js';
import type { EngineOptions, LimitSettings, WebhookSettings, WorkerSettings } from '../engine/engine-options.js';

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

/** What the adapter's engine is told. The options are checked. */
export function engineOptionsOf({ worker, limits, webhooks }: KafkaAdapterOptions): EngineOptions {
  const { path, ttlSeconds } = DEFAULT_OPTIONS.webhooks;
  const { baseUrl } = webhooks ?? {};
  return {
    worker: over(DEFAULT_OPTIONS.worker, worker),
    client: DEFAULT_OPTIONS.client,
    limits: limitsOf(limits),
    reconciler: DEFAULT_OPTIONS.reconciler,
    ...(webhooks
      ? { webhooks: { ...over({ path, ttlSeconds }, webhooks), ...(baseUrl === undefined ? {} : { baseUrl }) } }
      : {}),
  };
}

/** What the adapter's drivers are told. The options are checked. */
export function driversOptionsOf(options: KafkaAdapterOptions): ServerDriversOptions {
  const { topicName, groupId, redisKeyPrefix } = DEFAULT_OPTIONS;
  return {
    ...over({ topicName, groupId, redisKeyPrefix }, options),
    kafka: options.kafka,
    cassandra: options.cassandraClient,
    redis: options.redis ?? (connectionOf(options.coordinationStore) as NonNullable<KafkaAdapterOptions['redis']>),
    keyspace: options.keyspace,
    contextTableName: options.contextTableName,
    statusTableName: options.statusTableName,
    provision: over(DEFAULT_OPTIONS.provision, options.provision),
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    ...(options.tuning ? { tuning: options.tuning } : {}),
    ...(options.encryption ? { encryption: options.encryption } : {}),
  };
}

/** The store may come from another copy of the package, so that `instanceof` would not know it. */
export function connectionOf(store: unknown): object | undefined {
  const { redis } = (store ?? {}) as { redis?: unknown };
  return typeof redis === 'object' && redis !== null && 'defineCommand' in redis ? redis : undefined;
}
