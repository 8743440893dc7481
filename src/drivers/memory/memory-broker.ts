import { deadLetterHeaders } from '../../core/dead-letter.js';
import type { DeadLetterReason, RawMessage } from '../../ports/job-queue.js';
import { deferToNextTurn, type Defer } from './defer.js';

export interface MemoryDeadLetter {
  readonly message: RawMessage;
  readonly reason: DeadLetterReason;
  /** As it lies on the topic of the dead letters. */
  readonly letter: RawMessage;
}

export interface MemoryBrokerOptions {
  /** @default 4 */
  readonly partitions?: number;
  readonly defer?: Defer;
  /** Milliseconds since 1970; default: the time of this machine. */
  readonly now?: () => number;
}

/** A consumer as the broker sees it. */
export interface GroupMember {
  /** Its partitions from now on; what it was reading before is void. */
  assign(partitions: readonly number[]): void;
  /** There is something new to read. */
  wake(): void;
}

interface Partition {
  /** Offset of the first entry of `messages`: what every group has committed is dropped. */
  first: number;
  messages: RawMessage[];
}

interface Group {
  readonly members: Set<GroupMember>;
  readonly committed: Map<number, number>;
}

/** What a Kafka cluster would hold of one topic: share one among the queues of several workers of a process. */
export class MemoryBroker {
  readonly topic = 'memory';
  readonly deadLetters: MemoryDeadLetter[] = [];
  readonly defer: Defer;
  private readonly now: () => number;
  private readonly partitions: Partition[];
  private readonly groups = new Map<string, Group>();

  constructor(options: MemoryBrokerOptions = {}) {
    this.defer = options.defer ?? deferToNextTurn;
    this.now = options.now ?? (() => Date.now());
    this.partitions = Array.from({ length: options.partitions ?? 4 }, () => ({ first: 0, messages: [] }));
  }

  /** Appends to the partition of the key. */
  append(key: string, value: Buffer | null, headers: Readonly<Record<string, string>> = {}): void {
    const index = hash(key) % this.partitions.length;
    const partition = this.partition(index);
    const offset = String(partition.first + partition.messages.length);
    partition.messages.push({ key: Buffer.from(key), value, headers, partition: index, offset });
    for (const { members } of this.groups.values()) for (const member of members) member.wake();
  }

  /** Keeps a message that can never succeed, as a topic of one partition would. */
  park(message: RawMessage, reason: DeadLetterReason): void {
    const headers = deadLetterHeaders(message, this.topic, reason, new Date(this.now()));
    const letter = { ...message, headers, partition: 0, offset: String(this.deadLetters.length) };
    this.deadLetters.push({ message, reason, letter });
  }

  read(partition: number, offset: number): RawMessage | undefined {
    const { first, messages } = this.partition(partition);
    return messages[offset - first];
  }

  /** Where a group reads on: a group that is new begins with the oldest message that is left. */
  committed(groupId: string, partition: number): number {
    return Math.max(this.group(groupId).committed.get(partition) ?? 0, this.partition(partition).first);
  }

  commit(groupId: string, partition: number, offset: number): void {
    this.group(groupId).committed.set(partition, offset);
    const lowest = Math.min(...[...this.groups.values()].map((group) => group.committed.get(partition) ?? 0));
    const log = this.partition(partition);
    const done = lowest - log.first;
    if (done < 256 || done * 2 < log.messages.length) return; // copying is paid by what it frees
    log.messages = log.messages.slice(done);
    log.first = lowest;
  }

  join(groupId: string, member: GroupMember): void {
    this.group(groupId).members.add(member);
    this.rebalance(groupId);
  }

  leave(groupId: string, member: GroupMember): void {
    if (this.group(groupId).members.delete(member)) this.rebalance(groupId);
  }

  /** As with kafkajs, every member starts again at the committed offsets, also in partitions that it keeps. */
  private rebalance(groupId: string): void {
    const members = [...this.group(groupId).members];
    members.forEach((member, i) => {
      member.assign([...this.partitions.keys()].filter((partition) => partition % members.length === i));
    });
  }

  private partition(index: number): Partition {
    const partition = this.partitions[index];
    if (!partition) throw new RangeError(`There is no partition ${index}.`);
    return partition;
  }

  private group(groupId: string): Group {
    const group = this.groups.get(groupId) ?? { members: new Set(), committed: new Map() };
    this.groups.set(groupId, group);
    return group;
  }
}

/** FNV-1a: equal keys share a partition, similar keys do not. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}
