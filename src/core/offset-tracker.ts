/**
 * Tells how far the jobs of one partition in one assignment are done, while they end in any order. Only the lowest
 * offset that is not done can be committed: everything above it would be lost by a crash, everything below is safe.
 * Offsets need not be contiguous (compaction, transaction markers).
 */
export class OffsetTracker {
  private readonly incomplete = new Map<bigint, true>(); // insertion order is offset order
  private nextUnseen: bigint | undefined;
  private committed: bigint | undefined;

  /** Offsets must be given in rising order; one seen before is ignored. */
  begin(offset: bigint): void {
    if (this.nextUnseen !== undefined && offset < this.nextUnseen) return;
    this.incomplete.set(offset, true);
    this.nextUnseen = offset + 1n;
  }

  finish(offset: bigint): void {
    this.incomplete.delete(offset);
  }

  /** How many offsets are not done. */
  get open(): number {
    return this.incomplete.size;
  }

  /** The next offset with nothing unfinished below it, if it is higher than what was committed last. */
  get committable(): bigint | undefined {
    const [lowest] = this.incomplete.keys();
    const next = lowest ?? this.nextUnseen;
    if (next === undefined || (this.committed !== undefined && next <= this.committed)) return undefined;
    return next;
  }

  markCommitted(offset: bigint): void {
    if (this.committed === undefined || offset > this.committed) this.committed = offset;
  }
}
