/** More messages are not held in memory, whatever they wait for. */
const MOST_HELD = 10_000;

/**
 * How many messages a worker has taken. Those that only wait for the claim of another worker to end (after a crash there
 * can be thousands) leave room for others, which may have something to do.
 */
export class Intake {
  private held = 0;
  private parked = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly window: number) {}

  get size(): number {
    return this.held;
  }

  /** Resolves when there is room for one more message. */
  async admit(): Promise<void> {
    while (this.isFull) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  enter(): void {
    this.held++;
  }

  leave(): void {
    this.held--;
    this.wake();
  }

  /** Counts a message as one that only waits, while `wait` lasts. */
  async park(wait: Promise<void>): Promise<void> {
    this.parked++;
    this.wake();
    try {
      await wait;
    } finally {
      this.parked--;
    }
  }

  private get isFull(): boolean {
    return this.held >= MOST_HELD || this.held - this.parked >= this.window;
  }

  private wake(): void {
    if (!this.isFull) this.waiting.shift()?.();
  }
}
