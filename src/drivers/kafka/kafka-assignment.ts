import { OffsetTracker } from '../../core/offset-tracker.js';

export interface PartitionOffset {
  readonly partition: number;
  readonly offset: bigint;
}

/**
 * What one assignment of partitions has handed over, and how much of it is done. It is void as soon as the group
 * assigns anew: positions then start at the committed offsets again, so that nothing known here holds any more.
 */
export class KafkaAssignment {
  private readonly trackers = new Map<number, OffsetTracker>();
  private readonly waitingForRoom = new Map<number, () => void>();
  private ended = false;

  constructor(
    /** Messages of one partition that may be open at a time: bounds what is delivered again after a crash. */
    private readonly maxOpen: number,
    private readonly onProgress: () => void,
  ) {}

  /** What was not done in time is delivered again. */
  get isVoid(): boolean {
    return this.ended;
  }

  /** A message is handed over. */
  begin(partition: number, offset: bigint): void {
    let tracker = this.trackers.get(partition);
    if (!tracker) this.trackers.set(partition, (tracker = new OffsetTracker()));
    tracker.begin(offset);
  }

  /** A message is done; heard too late, it changes nothing: the message is delivered again. */
  finish(partition: number, offset: bigint): void {
    if (this.isVoid) return;
    this.trackers.get(partition)?.finish(offset);
    if (!this.isFull(partition)) this.tellRoom(partition);
    this.onProgress();
  }

  isFull(partition: number): boolean {
    return !this.isVoid && (this.trackers.get(partition)?.open ?? 0) >= this.maxOpen;
  }

  /** Resolves when the partition may have room again, and when `wake` is called. One caller a partition. */
  room(partition: number): Promise<void> {
    return new Promise((resolve) => this.waitingForRoom.set(partition, resolve));
  }

  wake(): void {
    for (const partition of [...this.waitingForRoom.keys()]) this.tellRoom(partition);
  }

  /** What can be committed now, of partitions that moved since the last commit. */
  committable(): PartitionOffset[] {
    if (this.isVoid) return [];
    return [...this.trackers].flatMap(([partition, { committable }]) =>
      committable === undefined ? [] : [{ partition, offset: committable }],
    );
  }

  markCommitted(offsets: readonly PartitionOffset[]): void {
    for (const { partition, offset } of offsets) this.trackers.get(partition)?.markCommitted(offset);
  }

  end(): void {
    this.ended = true;
    this.wake();
  }

  private tellRoom(partition: number): void {
    const resolve = this.waitingForRoom.get(partition);
    this.waitingForRoom.delete(partition);
    resolve?.();
  }
}
