import { randomUUID } from 'node:crypto';
import type { Consumer, EachBatchPayload } from 'kafkajs';
import { UnavailableError } from '../../core/errors.js';
import type { DeadRange, RawMessage } from '../../ports/job-queue.js';
import type { Logger } from '../../ports/logger.js';
import type { KafkaClient } from './kafka-client.js';
import { orTimeout, within } from './kafka-deadline.js';
import { rawMessage } from './kafka-messages.js';

const CLOSE_MS = 3000;
const CONSUMER = { minBytes: 1, maxWaitTimeInMs: 100, maxBytesPerPartition: 1024 * 1024, sessionTimeout: 10_000 };

/**
 * Reads ranges of a topic. kafkajs reads only as a member of a group, so each read is one of its own, which commits
 * nothing and is deleted afterwards.
 */
export class KafkaDeadReader {
  constructor(
    private readonly client: KafkaClient,
    private readonly topic: string,
    private readonly groupId: string,
    private readonly timeoutMs: number,
    private readonly logger: Logger,
  ) {}

  /** @throws UnavailableError */
  async read(ranges: readonly DeadRange[]): Promise<RawMessage[]> {
    const due = ranges.filter(({ from, to, limit }) => from < to && limit > 0);
    if (due.length === 0) return [];
    const groupId = `${this.groupId}.dead-letters.${randomUUID()}`;
    const { kafka, sever } = this.client.open({ repeated: false });
    const consumer = kafka.consumer({ ...CONSUMER, groupId, allowAutoTopicCreation: false });
    const reading = new Reading(consumer, this.topic, due);
    try {
      return await orTimeout(this.timeoutMs, reading.run());
    } catch (error) {
      throw new UnavailableError('kafka', 'reading dead letters', error);
    } finally {
      const ignore = (error: unknown) => this.logger.debug('A reader of dead letters did not close', { error });
      await within(CLOSE_MS, consumer.disconnect(), ignore);
      sever();
      await within(
        CLOSE_MS,
        this.client.withAdmin(CLOSE_MS, (admin) => admin.deleteGroups([groupId])),
        (error) => this.logger.debug('The group of a reader of dead letters could not be deleted', { groupId, error }),
      );
    }
  }
}

/** One range after the other, each from where it begins. */
class Reading {
  private readonly found: RawMessage[] = [];
  private at = 0;
  private taken = 0;
  /** The next offset of the present range. */
  private position = 0n;
  private soughtAgain = false;
  private end: () => void = () => undefined;
  private readonly ended = new Promise<void>((resolve) => (this.end = resolve));

  constructor(
    private readonly consumer: Consumer,
    private readonly topic: string,
    private readonly ranges: readonly DeadRange[],
  ) {}

  async run(): Promise<RawMessage[]> {
    await this.consumer.connect();
    await this.consumer.subscribe({ topics: [this.topic], fromBeginning: true });
    this.begin();
    await this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: async (payload) => this.take(payload),
    });
    this.seek();
    await this.ended;
    return this.found;
  }

  private get range(): DeadRange | undefined {
    return this.ranges[this.at];
  }

  private begin(): void {
    this.taken = 0;
    this.soughtAgain = false;
    this.position = this.range?.from ?? 0n;
  }

  private seek(): void {
    const { range } = this;
    if (range) this.consumer.seek({ topic: this.topic, partition: range.partition, offset: String(this.position) });
  }

  private take(payload: EachBatchPayload): void {
    const { batch } = payload;
    const { range } = this;
    // what was fetched before the seek, and other partitions, are passed over
    for (const message of batch.messages) payload.resolveOffset(message.offset);
    if (!range || batch.partition !== range.partition || batch.isEmpty()) return;
    const last = BigInt(batch.lastOffset());
    if (last < this.position) return this.seek();
    // a batch that begins later was fetched before the seek, or what lay between is not there any more
    if (BigInt(batch.messages[0]?.offset ?? 0) > this.position && !this.soughtAgain) {
      this.soughtAgain = true;
      return this.seek();
    }
    for (const message of batch.messages) {
      const offset = BigInt(message.offset);
      if (offset < this.position) continue;
      if (offset >= range.to || this.taken === range.limit) break;
      this.found.push(rawMessage(batch.partition, message));
      this.taken++;
      this.position = offset + 1n;
    }
    if (this.taken === range.limit || last + 1n >= range.to) this.next();
  }

  private next(): void {
    this.at++;
    if (!this.range) return this.end();
    this.begin();
    this.seek();
  }
}
