import type { Offsets } from 'kafkajs';
import type { Clock } from '../../ports/clock.js';
import type { Logger } from '../../ports/logger.js';
import type { KafkaAssignment } from './kafka-assignment.js';

/** kafkajs' own commit of the present membership, once, without its repetitions (they would outlive a rebalance). */
export type SendCommit = (offsets: Offsets) => Promise<void>;

/**
 * Commits what is done of the present assignment, in one request for all partitions, at most once in `intervalMs` and
 * only after something was done. A commit that fails is repeated at the next tick, unless the assignment is void.
 */
export class KafkaCommits {
  private assignment: KafkaAssignment | undefined;
  private send: SendCommit | undefined;
  private cancelTick: (() => void) | undefined;
  private running: Promise<void> | undefined;

  constructor(
    private readonly topic: string,
    private readonly intervalMs: number,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /** A new assignment, or none. The one before is void: nothing of it is committed any more. */
  assign(assignment: KafkaAssignment | undefined): void {
    this.cancelTick?.();
    this.cancelTick = undefined;
    this.assignment?.end();
    this.assignment = assignment;
    this.send = undefined;
  }

  /** Every batch brings the means to commit for the membership that it was fetched in. */
  commitThrough(send: SendCommit): void {
    this.send = send;
  }

  /** Something was done: commit it at the next tick. */
  readonly arm = (): void => {
    this.cancelTick ??= this.clock.after(this.intervalMs, () => {
      this.cancelTick = undefined;
      // a slow commit is waited for; its end arms the tick again
      this.running ??= this.commit().finally(() => (this.running = undefined));
    });
  };

  /** Commits what is done now. Never rejects. */
  async commit(): Promise<void> {
    const { assignment, send } = this;
    const offsets = assignment?.committable() ?? [];
    if (!assignment || !send || offsets.length === 0) return;
    const partitions = offsets.map(({ partition, offset }) => ({ partition, offset: offset.toString() }));
    try {
      await send({ topics: [{ topic: this.topic, partitions }] });
      assignment.markCommitted(offsets);
    } catch (error) {
      this.logger.debug(`Committing offsets of '${this.topic}' failed`, { error });
    }
    if (this.assignment === assignment && assignment.committable().length > 0) this.arm();
  }
}
