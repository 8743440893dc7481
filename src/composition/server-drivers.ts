import type { Client, ClientOptions } from 'cassandra-driver';
import type { Cluster, Redis } from 'ioredis';
import type { Kafka, KafkaConfig } from 'kafkajs';
import { ConfigurationError } from '../core/errors.js';
import { groupProblem, keyPrefixProblem, topicProblem } from '../core/names.js';
import { CassandraRunStore, type CassandraRunStoreOptions } from '../drivers/cassandra/cassandra-run-store.js';
import type { ValueCipher } from '../core/value-cipher.js';
import { createValueCipher } from '../drivers/encryption/aes-value-cipher.js';
import type { EncryptionSource } from '../drivers/encryption/encryption-keys.js';
import { SealedRunStore } from '../drivers/encryption/sealed-run-store.js';
import { KafkaClient } from '../drivers/kafka/kafka-client.js';
import { KafkaJobQueue, type KafkaJobQueueOptions } from '../drivers/kafka/kafka-job-queue.js';
import { RedisClient, type RedisClientOptions, type RedisInput } from '../drivers/redis/redis-client.js';
import { RedisLedger, type RedisLedgerOptions } from '../drivers/redis/redis-ledger.js';
import { RedisRunSignals } from '../drivers/redis/redis-run-signals.js';
import { RedisTimerIndex } from '../drivers/redis/redis-timer-index.js';
import { failureOf } from './failure.js';
import type { Clock, Ids } from '../ports/clock.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';
import type { RunSignals } from '../ports/run-signals.js';
import type { RunStore } from '../ports/run-store.js';
import type { TimerIndex, TimerRows } from '../ports/timers.js';

export type Provisioning = 'create' | 'verify' | 'off';

export interface ServerProvisioning {
  readonly topic: Provisioning;
  readonly keyspace: Provisioning;
  readonly tables: Provisioning;
  /** Of a jobs topic that is created: the most workers that can share the work. */
  readonly partitions: number;
  /** Replicas of topics that are created; -1: as the broker is configured. */
  readonly topicReplication: number;
  /** Of a keyspace that is created: copies of each row, or copies by data centre. */
  readonly keyspaceReplication: number | Readonly<Record<string, number>>;
}

/** What only a driver knows; every default is the driver's own. `kafka.consumer` is passed on to kafkajs. */
export interface DriverTuning {
  readonly kafka?: Partial<
    Omit<
      KafkaJobQueueOptions,
      'kafka' | 'topic' | 'groupId' | 'provision' | 'partitions' | 'replicationFactor' | 'connectTimeoutMs'
    >
  >;
  readonly cassandra?: Pick<CassandraRunStoreOptions, 'consistency' | 'serialConsistency'>;
  readonly redis?: Pick<RedisClientOptions, 'commandTimeoutMs'> & Omit<RedisLedgerOptions, 'prefix'>;
}

export interface ServerDriversOptions {
  /** kafkajs: its options, or an instance of the caller's. */
  readonly kafka: KafkaConfig | Kafka;
  /** cassandra-driver: its options, or a client of the caller's, which is never shut down. */
  readonly cassandra: ClientOptions | Client;
  /** ioredis: a URL, its options, the nodes of a cluster, or a connection of the caller's, which is never closed. */
  readonly redis: RedisInput;
  readonly topicName: string;
  readonly groupId: string;
  readonly keyspace: string;
  readonly contextTableName: string;
  readonly statusTableName: string;
  readonly redisKeyPrefix: string;
  readonly provision: ServerProvisioning;
  /** How long `connect` tries to reach each server. Milliseconds. */
  readonly connectTimeoutMs: number;
  readonly tuning?: DriverTuning;
  /** Default: everything is stored as it is. */
  readonly encryption?: EncryptionSource;
}

/** The clients that the drivers use, for a use beside theirs. Whoever made a client closes it. */
export interface ServerClients {
  readonly kafka: Kafka;
  readonly cassandra: Client;
  /** @throws IllegalStateError unless the drivers are connected */
  readonly redis: Redis | Cluster;
}

export interface ServerDrivers {
  readonly queue: JobQueue;
  readonly store: RunStore;
  readonly ledger: Ledger;
  readonly signals: RunSignals;
  readonly timerRows: TimerRows;
  readonly timerIndex: TimerIndex;
  readonly clients: ServerClients;
  /** What `store` encrypts with. */
  readonly cipher: ValueCipher;
  /**
   * Reaches all three servers at once, then creates or verifies what is on them. After a failure it may be called
   * again and goes on where it was.
   * @throws ConnectError, SchemaMissingError, TopicMissingError, ConfigurationError, UnavailableError
   */
  connect(): Promise<void>;
  /** Closes what the drivers opened, clients of the caller's excepted. */
  close(): Promise<void>;
}

export interface Environment {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
}

/**
 * The drivers of the three servers. Nothing is connected yet.
 * @throws ConfigurationError for names that a server cannot take
 */
export function createServerDrivers(options: ServerDriversOptions, environment: Environment): ServerDrivers {
  assertNames(options);
  const { clock, logger } = environment;
  const { connectTimeoutMs, redisKeyPrefix: prefix, provision, tuning = {} } = options;
  const { commandTimeoutMs, ...ledgerTuning } = tuning.redis ?? {};
  const queue = new KafkaJobQueue(
    {
      ...tuning.kafka,
      kafka: options.kafka,
      topic: options.topicName,
      groupId: options.groupId,
      provision: provision.topic,
      partitions: provision.partitions,
      replicationFactor: provision.topicReplication,
      connectTimeoutMs,
    },
    environment,
  );
  const cassandra = new CassandraRunStore(
    {
      ...tuning.cassandra,
      source: options.cassandra,
      keyspace: options.keyspace,
      contextTableName: options.contextTableName,
      statusTableName: options.statusTableName,
      provision: {
        keyspace: provision.keyspace,
        tables: provision.tables,
        replication: provision.keyspaceReplication,
      },
      connectTimeoutMs,
    },
    logger,
  );
  const cipher = createValueCipher(options.encryption);
  const store = new SealedRunStore(cassandra, cipher);
  const redis = new RedisClient(
    { connection: options.redis, connectTimeoutMs, ...(commandTimeoutMs === undefined ? {} : { commandTimeoutMs }) },
    clock,
    logger,
  );
  const ledger = new RedisLedger(redis, { ...ledgerTuning, prefix });
  const signals = new RedisRunSignals(redis, clock, logger, { prefix });
  const timerIndex = new RedisTimerIndex(redis, { prefix });

  let kafka: Kafka | undefined;
  const clients: ServerClients = {
    get kafka() {
      return (kafka ??= new KafkaClient(options.kafka, logger).open({ repeated: false }).kafka);
    },
    cassandra: cassandra.connection.client,
    get redis() {
      return redis.current;
    },
  };
  const connect = async () => {
    await all([queue.connect(), store.connect(), ledger.connect(), signals.connect(), timerIndex.connect()]);
    await all([queue.provision(), store.provision()]);
  };
  const close = async () => all([queue.close(), signals.close(), timerIndex.close(), ledger.close(), store.close()]);
  return { queue, store, ledger, signals, timerRows: cassandra.timers, timerIndex, clients, cipher, connect, close };
}

/** Those of keyspace and tables are checked by their schema. */
function assertNames({ topicName, groupId, redisKeyPrefix }: ServerDriversOptions): void {
  const problems = [
    { path: 'topicName', message: topicProblem(topicName) },
    { path: 'groupId', message: groupProblem(groupId) },
    { path: 'redisKeyPrefix', message: keyPrefixProblem(redisKeyPrefix) },
  ].flatMap(({ path, message }) => (message === undefined ? [] : [{ path, message }]));
  if (problems.length > 0) throw new ConfigurationError(problems);
}

/** Waits for every part even if one fails, so that nothing goes on behind the caller's back. */
async function all(parts: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(parts);
  const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (failed.length > 0) throw failureOf(failed);
}
