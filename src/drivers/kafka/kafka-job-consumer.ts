import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Consumer, ConsumerConfig, EachBatchPayload, KafkaMessage } from 'kafkajs';
import type { Clock } from '../../ports/clock.js';
import type { JobHandler } from '../../ports/job-queue.js';
import type { Logger } from '../../ports/logger.js';
import type { KafkaAdmission } from './kafka-admission.js';
import { KafkaAssignment } from './kafka-assignment.js';
import type { KafkaConnection } from './kafka-client.js';
import { KafkaCommits } from './kafka-commits.js';
import { within } from './kafka-deadline.js';
import { rawMessage } from './kafka-messages.js';
import { KafkaPulse } from './kafka-pulse.js';

/** More than partitions are assigned to one worker: a partition that waits for room must not hold up another. */
const CONCURRENT_PARTITIONS = 256;
/** So many messages are handed over before other work of the process gets a turn. */
const MESSAGES_PER_TURN = 64;

export interface ConsumerSettings {
  readonly topic: string;
  readonly config: ConsumerConfig & { readonly heartbeatInterval: number };
  readonly commitIntervalMs: number;
  readonly maxOpenPerPartition: number;
}

export interface ConsumerEvents {
  joined(partitions: readonly number[]): void;
  rebalancing(): void;
  /** kafkajs has ended this consumer. */
  crashed(error: Error): void;
}

/**
 * One life of a kafkajs consumer: it hands messages to the handler without ever waiting for one to be done, and commits
 * what is done. It never restarts itself; when kafkajs gives it up a new one has to be made.
 */
export class KafkaJobConsumer {
  readonly pulse: KafkaPulse;
  private readonly consumer: Consumer;
  private readonly commits: KafkaCommits;
  private assignment: KafkaAssignment | undefined;
  private starting: Promise<void> = Promise.resolve();
  private taking = true;
  private ended = false;
  /** Moves when all batches being handed over have to be left; the rest of them is fetched again. */
  private departures = 0;

  constructor(
    private readonly connection: KafkaConnection,
    private readonly settings: ConsumerSettings,
    private readonly handler: JobHandler,
    private readonly admission: KafkaAdmission,
    private readonly events: ConsumerEvents,
    clock: Clock,
    private readonly logger: Logger,
  ) {
    const { retry } = settings.config;
    // one way to restart, the supervisor's, so that none goes on behind its back
    this.consumer = connection.kafka.consumer({
      ...settings.config,
      retry: { ...retry, retries: retry?.retries ?? 10, restartOnFailure: async () => false },
    });
    this.commits = new KafkaCommits(settings.topic, settings.commitIntervalMs, clock, logger);
    this.pulse = new KafkaPulse(clock, settings.config.heartbeatInterval / 2, (why) => {
      logger.debug('The Kafka consumer leaves its batches', { error: why });
      this.leaveBatches();
    });
    this.listen();
  }

  /** Resolves when it has joined the group, or has crashed in trying to. @throws if the brokers can't be reached */
  start(): Promise<void> {
    this.starting = this.join();
    return this.starting;
  }

  private async join(): Promise<void> {
    await this.consumer.connect();
    // from the beginning: a group that is new must not lose what was sent before it
    await this.consumer.subscribe({ topics: [this.settings.topic], fromBeginning: true });
    await this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: CONCURRENT_PARTITIONS,
      eachBatch: (payload) => this.takeBatch(payload),
    });
    if (this.ended) await this.consumer.disconnect();
    else if (!this.taking) this.pause();
  }

  /** Takes no further message; what is done is still committed. */
  pause(): void {
    this.taking = false;
    this.leaveBatches();
    try {
      this.consumer.pause([{ topic: this.settings.topic }]);
    } catch (error) {
      // it has not joined yet, or has crashed: then it takes nothing anyway
      this.logger.debug('The Kafka consumer is not running, so it is not paused', { error });
    }
  }

  /** Commits what is done and leaves the group, each within `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    const ignore = (error: unknown) => this.logger.debug('The Kafka consumer did not stop well', { error });
    this.pause();
    // kafkajs goes on with a start, whatever is called meanwhile
    if (!(await within(timeoutMs, this.starting, ignore))) this.connection.sever();
    await within(timeoutMs, this.commits.commit(), ignore);
    this.end();
    const leaving = this.consumer.disconnect();
    if (!(await within(timeoutMs, leaving, ignore))) {
      this.logger.warn(
        `The Kafka consumer did not leave its group within ${timeoutMs} ms; others wait until its session ends`,
      );
      this.connection.sever();
      await within(timeoutMs, leaving, ignore);
    }
    this.connection.sever();
  }

  private end(): void {
    this.ended = true;
    this.taking = false;
    this.assignment = undefined;
    this.commits.assign(undefined);
    this.pulse.end();
    this.leaveBatches();
  }

  private listen(): void {
    const { consumer, pulse } = this;
    consumer.on(consumer.events.FETCH_START, ({ payload }) => pulse.fetchStarted(payload.nodeId));
    consumer.on(consumer.events.FETCH, ({ payload }) => pulse.fetchEnded(payload.nodeId));
    consumer.on(consumer.events.HEARTBEAT, () => pulse.sign());
    consumer.on(consumer.events.REBALANCING, () => {
      // sent before kafkajs asks to join again, so the broker still takes it
      void this.commits.commit();
      this.events.rebalancing();
    });
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      pulse.joined();
      this.leaveBatches();
      this.assignment = new KafkaAssignment(this.settings.maxOpenPerPartition, this.commits.arm);
      this.commits.assign(this.assignment);
      this.events.joined(payload.memberAssignment[this.settings.topic] ?? []);
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      this.end();
      this.events.crashed(payload.error);
    });
  }

  private leaveBatches(): void {
    this.departures++;
    this.admission.dismiss();
    this.assignment?.wake();
  }

  /** Never throws: an error from here could end the consumer. Messages that are not resolved are fetched again. */
  private async takeBatch(payload: EachBatchPayload): Promise<void> {
    const { assignment } = this;
    if (!assignment || this.pulse.hasFetchesBeforeJoin) return;
    this.commits.commitThrough((offsets) => payload.commitOffsetsIfNecessary(offsets));
    this.pulse.batchStarted(payload);
    try {
      await this.handOver(payload, assignment);
    } catch (error) {
      this.logger.error('Handing over a batch of messages failed; it is fetched again', {
        error,
        partition: payload.batch.partition,
      });
    } finally {
      this.pulse.batchEnded();
    }
  }

  private async handOver(payload: EachBatchPayload, assignment: KafkaAssignment): Promise<void> {
    const { departures, admission } = this;
    const { partition, messages } = payload.batch;
    const goesOn = () => this.taking && this.departures === departures && payload.isRunning() && !payload.isStale();
    for (const [index, message] of messages.entries()) {
      if (index % MESSAGES_PER_TURN === MESSAGES_PER_TURN - 1) await nextTurn();
      while (goesOn() && assignment.isFull(partition)) await assignment.room(partition);
      if (!goesOn() || !(await admission.enter())) return;
      if (!goesOn()) return admission.unused();
      payload.resolveOffset(message.offset);
      void this.hand(partition, message, assignment);
      admission.used();
    }
  }

  private async hand(partition: number, message: KafkaMessage, assignment: KafkaAssignment): Promise<void> {
    const offset = BigInt(message.offset);
    assignment.begin(partition, offset);
    try {
      await this.handler.handle({ ...rawMessage(partition, message), isDeliveredAgain: () => assignment.isVoid });
    } catch (error) {
      this.logger.debug('A message was not done; it stays uncommitted and is delivered again', {
        error,
        partition,
        offset: message.offset,
      });
      return;
    }
    assignment.finish(partition, offset);
  }
}
