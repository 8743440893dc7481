/** Bounds how many nodes execute at a time. First come, first served. */
export class Permits {
  private inUse = 0;
  private readonly waiting = new Set<() => void>();

  constructor(readonly size: number) {}

  get free(): number {
    return Math.max(0, this.size - this.inUse - this.waiting.size);
  }

  /** Somebody waits for one. */
  get isWanted(): boolean {
    return this.waiting.size > 0;
  }

  get used(): number {
    return this.inUse;
  }

  tryAcquire(): boolean {
    if (this.free === 0) return false;
    this.inUse++;
    return true;
  }

  async acquire(): Promise<void> {
    if (this.tryAcquire()) return;
    await new Promise<void>((resolve) => this.request(resolve));
  }

  /** Waits in line. Calls `granted` later, unless what comes back is called before. */
  request(granted: () => void): () => void {
    this.waiting.add(granted);
    return () => void this.waiting.delete(granted);
  }

  release(): void {
    for (const next of this.waiting) {
      this.waiting.delete(next);
      return next();
    }
    this.inUse--;
  }
}

/** A turn's permit, which it passes on to the first target that continues here. */
export class HeldPermit {
  private held = true;

  /** @param since when the first of the turns that passed it on got it from the line; milliseconds */
  constructor(
    private readonly permits: Permits,
    readonly since: number,
  ) {}

  release(): void {
    if (this.held) this.permits.release();
    this.held = false;
  }

  /** Gives this permit and those reserved with it to the turns that continue; frees those that nobody took over. */
  passOn(unused: number): void {
    for (let left = unused; left > 0; left--) this.permits.release();
    this.held = false;
  }
}
