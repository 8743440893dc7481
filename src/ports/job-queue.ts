import type { DeadLetterReason } from '../core/dead-letter.js';
import type { Job } from '../core/envelope.js';

export type { DeadLetterReason } from '../core/dead-letter.js';

/** A message as it came from the topic, before anybody has decoded it. */
export interface RawMessage {
  readonly value: Buffer | null;
  readonly key: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly partition: number;
  readonly offset: string;
  /** Whether the group has assigned its partition anew since: it is then delivered again, to whoever has that now. */
  readonly isDeliveredAgain?: () => boolean;
}

export interface JobHandler {
  /**
   * Resolves when there is room for one more message. The queue holds the message back until then and keeps its
   * membership in the group alive meanwhile.
   */
  admit(): Promise<void>;
  /**
   * Takes a message. The promise resolves when the message is done: all that it causes is durable, so that its offset
   * may be committed. It rejects only when the worker stops first; the message is then delivered again.
   */
  handle(message: RawMessage): Promise<void>;
}

export type ConsumerState = 'stopped' | 'starting' | 'consuming' | 'rebalancing' | 'restarting';

export interface JobConsumer {
  readonly state: ConsumerState;
  /** How often it had to be made anew, since it had crashed or fallen silent. */
  readonly restarts: number;
  /** Takes no further message; those being handled go on and their offsets are still committed. */
  pause(): Promise<void>;
  /** Commits what is done and leaves the group. What is not done is delivered again, to whoever comes. */
  stop(): Promise<void>;
}

/** Dead letters of one partition: from the first offset, before the second, and no more than the limit. */
export interface DeadRange {
  readonly partition: number;
  readonly from: bigint;
  readonly to: bigint;
  readonly limit: number;
}

/** Which dead letters a partition holds. */
export interface DeadBounds {
  readonly partition: number;
  readonly first: bigint;
  /** The offset of the next one. */
  readonly next: bigint;
}

/**
 * A durable queue of jobs. Delivery is at least once, in any order, possibly to two workers at once; nothing that was
 * acknowledged is lost.
 */
export interface JobQueue {
  /** Opens connections, with retries. @throws ConnectError after the configured time */
  connect(): Promise<void>;
  /** Creates or verifies what the queue needs, as configured. @throws TopicMissingError */
  provision(): Promise<void>;
  /**
   * Resolves when the job is durable. `key` (default: the run id) chooses the partition. Retries for as long as the queue
   * is open; rejects with IllegalStateError once it is closed.
   * @param canWait its turn is executed here already, so that the message may wait a moment for others to go with
   */
  publish(job: Job, key?: string, canWait?: boolean): Promise<void>;
  /** Parks a message that can never succeed, with its original bytes and the reason. Resolves when it is durable. */
  publishDead(message: RawMessage, reason: DeadLetterReason): Promise<void>;
  /** Where dead letters go. */
  readonly deadTopic: string;
  /** @throws UnavailableError */
  deadBounds(): Promise<DeadBounds[]>;
  /** Reads dead letters without any effect on them. Within each range they are in order. @throws UnavailableError */
  readDead(ranges: readonly DeadRange[]): Promise<RawMessage[]>;
  /** Sends the key and the bytes of a dead letter to the jobs, with these headers. Resolves when that is durable. */
  redrive(letter: Pick<RawMessage, 'key' | 'value'>, headers: Readonly<Record<string, string>>): Promise<void>;
  consume(handler: JobHandler): Promise<JobConsumer>;
  close(): Promise<void>;
}
