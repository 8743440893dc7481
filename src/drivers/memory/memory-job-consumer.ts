import { OffsetTracker } from '../../core/offset-tracker.js';
import type { ConsumerState, JobConsumer, JobHandler, RawMessage } from '../../ports/job-queue.js';
import type { Logger } from '../../ports/logger.js';
import type { GroupMember, MemoryBroker } from './memory-broker.js';

/** What one assignment of a partition has read and finished. A rebalance voids it. */
interface Reading {
  readonly partition: number;
  readonly tracker: OffsetTracker;
  next: number;
}

/** One member of a consumer group. It sleeps while there is nothing to read: no timer, no polling. */
export class MemoryJobConsumer implements JobConsumer, GroupMember {
  state: ConsumerState = 'starting';
  readonly restarts = 0;
  private readings: Reading[] = [];
  private paused = false;
  private pumping = false;

  constructor(
    private readonly broker: MemoryBroker,
    private readonly groupId: string,
    private readonly handler: JobHandler,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.state = 'consuming';
    this.broker.join(this.groupId, this);
  }

  async pause(): Promise<void> {
    this.paused = true;
  }

  async stop(): Promise<void> {
    if (this.state === 'stopped') return;
    this.state = 'stopped';
    this.readings = [];
    this.broker.leave(this.groupId, this);
  }

  assign(partitions: readonly number[]): void {
    this.readings = partitions.map((partition) => ({
      partition,
      tracker: new OffsetTracker(),
      next: this.broker.committed(this.groupId, partition),
    }));
    this.wake();
  }

  wake(): void {
    if (this.pumping || this.paused || !this.pending()) return;
    this.pumping = true;
    this.broker.defer(() => void this.pump());
  }

  /** One at a time, so that a handler's room is not given away twice. */
  private async pump(): Promise<void> {
    try {
      while (!this.paused && this.pending()) {
        await this.handler.admit();
        const reading = this.pending();
        if (this.paused || !reading) break; // much may have happened while the handler was full
        this.take(reading);
      }
    } catch (error) {
      this.logger.error('The job handler refused to admit a message; the next attempt is made when more arrive.', {
        error,
      });
    } finally {
      this.pumping = false; // in one step with the last look at what is pending, or a wake-up between would be lost
    }
  }

  private take(reading: Reading): void {
    const message = this.broker.read(reading.partition, reading.next);
    if (!message) return;
    reading.next++;
    this.readings = [...this.readings.filter((r) => r !== reading), reading]; // the next partition comes first now
    reading.tracker.begin(BigInt(message.offset));
    void this.deliver(reading, message);
  }

  /** Never rejects: a message whose handling failed stays open and is delivered again with the next assignment. */
  private async deliver(reading: Reading, message: RawMessage): Promise<void> {
    try {
      await this.handler.handle(message);
    } catch (error) {
      this.logger.debug(
        `A message was not done (partition ${message.partition}, offset ${message.offset}); it will be delivered again.`,
        { error },
      );
      return;
    }
    reading.tracker.finish(BigInt(message.offset));
    if (!this.readings.includes(reading)) return;
    const offset = reading.tracker.committable;
    if (offset === undefined) return;
    this.broker.commit(this.groupId, reading.partition, Number(offset));
    reading.tracker.markCommitted(offset);
  }

  private pending(): Reading | undefined {
    return this.readings.find((reading) => this.broker.read(reading.partition, reading.next) !== undefined);
  }
}
