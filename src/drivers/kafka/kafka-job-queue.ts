import type { ConsumerConfig, Kafka, KafkaConfig } from 'kafkajs';
import { backoffMs } from '../../core/backoff.js';
import type { Job } from '../../core/envelope.js';
import { ConnectError, IllegalStateError, UnavailableError } from '../../core/errors.js';
import type { Clock, Ids } from '../../ports/clock.js';
import type {
  DeadBounds,
  DeadLetterReason,
  DeadRange,
  JobHandler,
  JobQueue,
  RawMessage,
} from '../../ports/job-queue.js';
import type { Logger } from '../../ports/logger.js';
import { KafkaAdmission } from './kafka-admission.js';
import { KafkaClient } from './kafka-client.js';
import { NoAnswer, pause, within } from './kafka-deadline.js';
import { isTooLarge } from './kafka-errors.js';
import { KafkaDeadReader } from './kafka-dead-reader.js';
import { guardIdleTimers } from './kafka-idle-guard.js';
import { KafkaJobConsumer } from './kafka-job-consumer.js';
import { deadLetter, excerptOf, jobMessage } from './kafka-messages.js';
import { KafkaSendLane, openProducer } from './kafka-send-lane.js';
import { KafkaSupervisor } from './kafka-supervisor.js';
import { BROKER_DEFAULT, provisionTopics, type TopicProvision } from './kafka-topics.js';

const CONNECT_BACKOFF = { firstMs: 100, maxMs: 2000 };
/** What a worker that is killed had in hand goes on elsewhere after about this. */
export const SESSION_TIMEOUT_MS = 10_000;
const CONSUMER = {
  minBytes: 1,
  // a consumer that leaves waits for its fetch; each that brings nothing costs a millisecond
  maxWaitTimeInMs: 250,
  maxBytesPerPartition: 1024 * 1024,
  sessionTimeout: SESSION_TIMEOUT_MS,
  // others learn of a rebalance with their next heartbeat
  heartbeatInterval: 1000,
  rebalanceTimeout: 15_000,
};

export type KafkaConsumerOptions = Partial<Omit<ConsumerConfig, 'groupId' | 'retry' | 'allowAutoTopicCreation'>>;

export interface KafkaJobQueueOptions {
  /** Options for kafkajs, under which our defaults lie; or an instance of yours, used as it is. */
  readonly kafka: KafkaConfig | Kafka;
  /** The topic of the jobs; dead letters go to `<topic>.dead`. */
  readonly topic: string;
  readonly groupId: string;
  /** What `provision` does about the topics. Default `create`. */
  readonly provision?: TopicProvision;
  /** Partitions of a jobs topic that is created: the most workers that can share the work. Default 12. */
  readonly partitions?: number;
  /** Partitions of a topic of dead letters that is created. Default 1. */
  readonly deadPartitions?: number;
  /** Replicas of topics that are created. Default: as the broker is configured. */
  readonly replicationFactor?: number;
  /** Kafka's settings of topics that are created, as `{ 'min.insync.replicas': '2' }`. */
  readonly topicConfig?: Readonly<Record<string, string>>;
  /** How long `connect`, and then `provision`, try. Default 30000. */
  readonly connectTimeoutMs?: number;
  /** How long `close`, and the `stop` of a consumer, wait for the brokers. Default 5000. */
  readonly closeTimeoutMs?: number;
  /**
   * Messages of nodes that run on in the same worker wait for so long to be sent together; others are sent at once.
   * Milliseconds, default 20; 0: none waits.
   */
  readonly lingerMs?: number;
  /** How long a look at the dead letters waits for the brokers. Default 12000. */
  readonly deadReadTimeoutMs?: number;
  /** Offsets of finished messages are committed this often. Default 200. */
  readonly commitIntervalMs?: number;
  /** Messages of one partition that may be uncommitted. Default 10000. */
  readonly maxOpenPerPartition?: number;
  /** kafkajs' consumer options, over our defaults. */
  readonly consumer?: KafkaConsumerOptions;
  /** Stops kafkajs' timers while it is idle, in this process. Default true. */
  readonly idleGuard?: boolean;
}

export interface KafkaJobQueueParts {
  readonly clock: Clock;
  readonly ids: Pick<Ids, 'random'>;
  readonly logger: Logger;
}

/** Jobs on a Kafka topic, one message a job. */
export class KafkaJobQueue implements JobQueue {
  readonly deadTopic: string;
  private readonly client: KafkaClient;
  private readonly jobs: KafkaSendLane;
  private readonly dead: KafkaSendLane;
  private readonly consumers = new Set<KafkaSupervisor>();
  private readonly closing = new AbortController();

  constructor(
    private readonly options: KafkaJobQueueOptions,
    private readonly parts: KafkaJobQueueParts,
  ) {
    if (options.idleGuard ?? true) guardIdleTimers(parts.logger);
    this.deadTopic = `${options.topic}.dead`;
    this.client = new KafkaClient(options.kafka, parts.logger);
    this.jobs = this.lane(options.topic, options.lingerMs ?? 20);
    // a lane of its own: a topic of dead letters that is missing must not hold up the jobs
    this.dead = this.lane(this.deadTopic, 0);
  }

  async connect(): Promise<void> {
    this.assertOpen();
    const timeoutMs = this.options.connectTimeoutMs ?? 30_000;
    const deadline = Date.now() + timeoutMs;
    let failure: unknown = new NoAnswer(timeoutMs);
    for (let attempt = 0; ; attempt++) {
      const left = Math.max(1, deadline - Date.now());
      // kafkajs connects to a bootstrap address alone; asking for metadata also tries an advertised one
      const reached = this.client.withAdmin(left, (admin) => admin.describeCluster()).then(() => this.jobs.connect());
      const failed = (error: unknown) => {
        if (!(error instanceof NoAnswer)) failure = error;
      };
      if (await within(left, reached, failed)) return;
      const waitMs = backoffMs(CONNECT_BACKOFF, attempt, this.parts.ids.random());
      if (this.closing.signal.aborted || Date.now() + waitMs >= deadline)
        throw new ConnectError([{ server: 'Kafka', cause: failure }], timeoutMs);
      this.parts.logger.debug('Kafka could not be reached and is tried again', { error: failure });
      await pause(waitMs, this.closing.signal);
    }
  }

  async provision(): Promise<void> {
    this.assertOpen();
    const {
      topic,
      provision = 'create',
      partitions = 12,
      deadPartitions = 1,
      replicationFactor = BROKER_DEFAULT,
      topicConfig = {},
    } = this.options;
    const base = { replicationFactor, config: topicConfig };
    const topics = [
      { ...base, topic, partitions },
      { ...base, topic: this.deadTopic, partitions: deadPartitions },
    ];
    await provisionTopics(this.client, provision, topics, this.options.connectTimeoutMs ?? 30_000, this.parts.logger);
  }

  async publish(job: Job, key?: string, canWait?: boolean): Promise<void> {
    await this.jobs.send(jobMessage(job, key), canWait);
  }

  async publishDead(message: RawMessage, reason: DeadLetterReason): Promise<void> {
    const letter = deadLetter(this.options.topic, message, reason, new Date(this.parts.clock.now()));
    try {
      await this.dead.send(letter);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      this.parts.logger.warn('A dead letter is too large; only its beginning is kept', {
        partition: message.partition,
        offset: message.offset,
      });
      await this.dead.send(excerptOf(letter));
    }
  }

  async deadBounds(): Promise<DeadBounds[]> {
    this.assertOpen();
    try {
      const offsets = await this.client.withAdmin(this.readTimeoutMs, (admin) =>
        admin.fetchTopicOffsets(this.deadTopic),
      );
      return offsets
        .map(({ partition, low, high }) => ({ partition, first: BigInt(low), next: BigInt(high) }))
        .sort((a, b) => a.partition - b.partition);
    } catch (error) {
      throw new UnavailableError('kafka', 'looking for dead letters', error);
    }
  }

  async readDead(ranges: readonly DeadRange[]): Promise<RawMessage[]> {
    this.assertOpen();
    const { groupId } = this.options;
    const reader = new KafkaDeadReader(this.client, this.deadTopic, groupId, this.readTimeoutMs, this.parts.logger);
    return reader.read(ranges);
  }

  async redrive(
    { key, value }: Pick<RawMessage, 'key' | 'value'>,
    headers: Readonly<Record<string, string>>,
  ): Promise<void> {
    await this.jobs.send({ key, value, headers });
  }

  /** Messages whose publishing is not acknowledged yet. */
  get pending(): number {
    return this.jobs.pending + this.dead.pending;
  }

  /** Resolves when the consumer has joined its group, or its first attempt to has failed: others follow. */
  async consume(handler: JobHandler): Promise<KafkaSupervisor> {
    this.assertOpen();
    const { clock, ids, logger } = this.parts;
    const { topic, groupId, commitIntervalMs = 200, maxOpenPerPartition = 10_000 } = this.options;
    const config = {
      ...CONSUMER,
      ...this.options.consumer,
      groupId,
      allowAutoTopicCreation: false,
      retry: this.client.retry,
    };
    const admission = new KafkaAdmission(handler, clock, logger);
    const settings = { topic, config, commitIntervalMs, maxOpenPerPartition };
    const supervisor = new KafkaSupervisor(
      (events) =>
        new KafkaJobConsumer(
          this.client.open({ repeated: false }),
          settings,
          handler,
          admission,
          events,
          clock,
          logger,
        ),
      {
        stalledAfterMs: 3 * (config.maxWaitTimeInMs + this.client.requestTimeoutMs),
        stopTimeoutMs: this.closeTimeoutMs,
        random: () => ids.random(),
      },
      clock,
      logger,
    );
    this.consumers.add(supervisor);
    await supervisor.start();
    return supervisor;
  }

  async close(): Promise<void> {
    this.closing.abort();
    await Promise.all([...this.consumers].map((consumer) => consumer.stop()));
    await Promise.all([this.jobs.close(this.closeTimeoutMs), this.dead.close(this.closeTimeoutMs)]);
  }

  private get readTimeoutMs(): number {
    return this.options.deadReadTimeoutMs ?? 12_000;
  }

  private get closeTimeoutMs(): number {
    return this.options.closeTimeoutMs ?? 5000;
  }

  private lane(topic: string, lingerMs: number): KafkaSendLane {
    const settings = { timeoutMs: this.client.requestTimeoutMs, lingerMs, random: () => this.parts.ids.random() };
    return new KafkaSendLane(topic, openProducer(this.client), settings, this.parts.logger);
  }

  private assertOpen(): void {
    if (this.closing.signal.aborted) throw new IllegalStateError('The job queue is closed. Create a new one.');
  }
}
