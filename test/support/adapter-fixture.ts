import { randomUUID } from 'node:crypto';
import { Client } from 'cassandra-driver';
import {
  analyzeBlueprint,
  type ILogger,
  type RuntimeOptions,
  type WorkflowBlueprint,
  type WorkflowResult,
} from 'flowcraft';
import { Redis } from 'ioredis';
import { Kafka, logLevel, Partitioners, type Producer } from 'kafkajs';
import { KafkaAdapter, type KafkaAdapterOptions } from '../../src/adapter/kafka-adapter.js';
import { RedisCoordinationStore } from '../../src/drivers/redis/redis-coordination-store.js';
import { BROKERS, eventually } from './kafka-fixture.js';
import { RecordingLogger } from './recording-logger.js';
import { newPrefix, REDIS_URL, removeKeys } from './redis-fixture.js';

const CONTACT_POINTS = process.env['CASSANDRA_CONTACT_POINTS'] ?? '127.0.0.1';
const DATACENTER = process.env['CASSANDRA_DATACENTER'] ?? 'datacenter1';

export interface StatusRow {
  readonly status: string;
  readonly result?: WorkflowResult & { errors?: { nodeId: string; message: string }[] };
  readonly reason?: string;
  readonly updatedAt: number;
}

/** The three servers with names of one test, used as the page's client uses them. */
export class AdapterFixture {
  readonly keyspace = `test_${randomUUID().replaceAll('-', '')}`;
  readonly topic = `test-jobs-${randomUUID()}`;
  readonly groupId = `test-group-${randomUUID()}`;
  readonly prefix = newPrefix();
  readonly log = new RecordingLogger();
  readonly kafka = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING });
  readonly cassandra = new Client({ contactPoints: CONTACT_POINTS.split(','), localDataCenter: DATACENTER });
  readonly redis: Redis;
  private readonly producer: Producer;
  private readonly adapters = new Set<KafkaAdapter>();

  private constructor(readonly redisUrl: string) {
    this.redis = new Redis(redisUrl);
    this.producer = this.kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  }

  static async open(redisUrl = REDIS_URL): Promise<AdapterFixture> {
    const fixture = new AdapterFixture(redisUrl);
    await Promise.all([fixture.cassandra.connect(), fixture.producer.connect()]);
    return fixture;
  }

  /** What a child process needs to speak to the same servers. */
  get env(): Record<string, string> {
    return {
      KAFKA_BROKERS: BROKERS.join(','),
      CASSANDRA_CONTACT_POINTS: CONTACT_POINTS,
      CASSANDRA_DATACENTER: DATACENTER,
      REDIS_URL: this.redisUrl,
    };
  }

  /** An adapter that is not started. It is stopped with the fixture. */
  adapter(runtimeOptions: RuntimeOptions, more: Partial<KafkaAdapterOptions> = {}): KafkaAdapter {
    const { partitions = 4, ...provision } = more.provision ?? {};
    const adapter = new KafkaAdapter({
      kafka: this.kafka,
      cassandraClient: this.cassandra,
      coordinationStore: new RedisCoordinationStore(this.redis),
      topicName: this.topic,
      groupId: this.groupId,
      keyspace: this.keyspace,
      contextTableName: 'contexts',
      statusTableName: 'statuses',
      redisKeyPrefix: this.prefix,
      runtimeOptions: { logger: flowcraftLogger(this.log), ...runtimeOptions },
      ...more,
      provision: { partitions, ...provision },
    });
    this.adapters.add(adapter);
    return adapter;
  }

  async startedAdapter(...args: Parameters<AdapterFixture['adapter']>): Promise<KafkaAdapter> {
    const adapter = this.adapter(...args);
    adapter.start();
    await adapter.ready();
    return adapter;
  }

  /** Writes the two rows of the page's client. */
  async write(runId: string, context: Record<string, unknown>, at = new Date()): Promise<void> {
    const { cassandra, keyspace } = this;
    const insertContext = `INSERT INTO ${keyspace}.contexts (runid, data) VALUES (?, ?)`;
    await cassandra.execute(insertContext, [runId, JSON.stringify(context)], { prepare: true });
    const insertStatus = `INSERT INTO ${keyspace}.statuses (runid, status, updated_at) VALUES (?, ?, ?)`;
    await cassandra.execute(insertStatus, [runId, 'running', at], { prepare: true });
  }

  /** Sends raw values, with the run id as their key. */
  async send(runId: string, ...values: string[]): Promise<void> {
    await this.producer.send({ topic: this.topic, messages: values.map((value) => ({ key: runId, value })) });
  }

  /** Starts a run as the page's client does. */
  async submit(
    blueprint: WorkflowBlueprint,
    context: Record<string, unknown> = {},
    runId = randomUUID(),
  ): Promise<string> {
    await this.write(runId, context);
    const starts = analyzeBlueprint(blueprint).startNodeIds;
    await this.send(runId, ...starts.map((nodeId) => JSON.stringify({ runId, blueprintId: blueprint.id, nodeId })));
    return runId;
  }

  /** Polls the status row, as the page's client does. */
  async row(runId: string): Promise<StatusRow | undefined> {
    const query = `SELECT status, result, reason, updated_at FROM ${this.keyspace}.statuses WHERE runid = ?`;
    const row = (await this.cassandra.execute(query, [runId], { prepare: true })).rows[0];
    if (!row) return undefined;
    return {
      status: row['status'],
      updatedAt: Number(row['updated_at']),
      ...(row['reason'] === null ? {} : { reason: row['reason'] }),
      ...(row['result'] === null ? {} : { result: JSON.parse(row['result']) }),
    };
  }

  /** The row, once the run no longer has the status `from`. */
  async outcome(runId: string, { withinMs = 30_000, from = 'running' } = {}): Promise<StatusRow> {
    let row: StatusRow | undefined;
    const changed = async () => {
      row = await this.row(runId);
      return row !== undefined && row.status !== from;
    };
    await eventually(changed, withinMs).catch(() => {
      const lines = this.log.lines.filter((l) => l.level !== 'debug' || l.fields?.runId === runId).slice(-25);
      throw new Error(`Run ${runId} is still ${from}. Log:\n${lines.map((l) => `${l.level} ${l.message}`).join('\n')}`);
    });
    if (!row) throw new Error('no row');
    return row;
  }

  async close(): Promise<void> {
    const stopped = await Promise.allSettled([...this.adapters].map((adapter) => adapter.stop()));
    const admin = this.kafka.admin();
    await admin.connect();
    const topics = (await admin.listTopics()).filter((name) => name.startsWith(this.topic));
    if (topics.length > 0) await admin.deleteTopics({ topics });
    await admin.disconnect();
    await this.producer.disconnect();
    await this.cassandra.execute(`DROP KEYSPACE IF EXISTS ${this.keyspace}`, [], { readTimeout: 30_000 });
    await this.cassandra.shutdown();
    await removeKeys(this.redis, this.prefix);
    await this.redis.quit();
    const failed = stopped.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }
}

/** A recorder as flowcraft's logger. */
function flowcraftLogger(log: RecordingLogger): ILogger {
  return {
    debug: (message, meta) => log.debug(message, meta),
    info: (message, meta) => log.log(message, meta),
    warn: (message, meta) => log.warn(message, meta),
    error: (message, meta) => log.error(message, meta),
  };
}
