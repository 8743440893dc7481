import { encodeJob, type Job } from '../../core/envelope.js';
import { IllegalStateError } from '../../core/errors.js';
import type {
  DeadBounds,
  DeadLetterReason,
  DeadRange,
  JobConsumer,
  JobHandler,
  JobQueue,
  RawMessage,
} from '../../ports/job-queue.js';
import type { Logger } from '../../ports/logger.js';
import type { MemoryBroker } from './memory-broker.js';
import { MemoryJobConsumer } from './memory-job-consumer.js';

/** The job queue of one process. Several queues over one broker are as many workers and clients. */
export class MemoryJobQueue implements JobQueue {
  private state: 'new' | 'open' | 'closed' = 'new';
  private readonly consumers = new Set<JobConsumer>();

  constructor(
    private readonly broker: MemoryBroker,
    private readonly logger: Logger,
    private readonly groupId = 'workers',
  ) {}

  async connect(): Promise<void> {
    if (this.state === 'closed') throw this.closed('connect');
    this.state = 'open';
  }

  async provision(): Promise<void> {}

  async publish(job: Job, key: string = job.runId): Promise<void> {
    if (this.state !== 'open') throw this.closed('publish a job');
    this.broker.append(key, Buffer.from(encodeJob(job)));
  }

  async publishDead(message: RawMessage, reason: DeadLetterReason): Promise<void> {
    if (this.state !== 'open') throw this.closed('park a message');
    this.broker.park(message, reason);
  }

  get deadTopic(): string {
    return `${this.broker.topic}.dead`;
  }

  async deadBounds(): Promise<DeadBounds[]> {
    return [{ partition: 0, first: 0n, next: BigInt(this.broker.deadLetters.length) }];
  }

  async readDead(ranges: readonly DeadRange[]): Promise<RawMessage[]> {
    return ranges.flatMap(({ partition, from, to, limit }) =>
      partition === 0
        ? this.broker.deadLetters.slice(Number(from), Math.min(Number(to), Number(from) + limit)).map((l) => l.letter)
        : [],
    );
  }

  async redrive(letter: Pick<RawMessage, 'key' | 'value'>, headers: Readonly<Record<string, string>>): Promise<void> {
    if (this.state !== 'open') throw this.closed('send a dead letter again');
    this.broker.append(letter.key?.toString() ?? '', letter.value, headers);
  }

  async consume(handler: JobHandler): Promise<JobConsumer> {
    if (this.state !== 'open') throw this.closed('consume');
    const consumer = new MemoryJobConsumer(this.broker, this.groupId, handler, this.logger);
    this.consumers.add(consumer);
    consumer.start();
    return consumer;
  }

  async close(): Promise<void> {
    this.state = 'closed';
    for (const consumer of this.consumers) await consumer.stop();
    this.consumers.clear();
  }

  private closed(what: string): IllegalStateError {
    return new IllegalStateError(
      `The job queue is not connected, so it cannot ${what}. Call connect() first, and nothing after close().`,
    );
  }
}
