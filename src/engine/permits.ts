/** Bounds how many nodes execute at a time. First come, first served. */
export class Permits {
  private inUse = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(readonly size: number) {}

  get free(): number {
    return Math.max(0, this.size - this.inUse - this.waiting.length);
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
    await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  release(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.inUse--;
  }
}
