/**
 * Bounds the statements that are on their way at a time; the others wait for their turn. Without it a burst fills the
 * driver's connections, which then refuse what comes (BusyConnectionError), and queues on the server until statements
 * time out.
 */
export class InFlightLimit {
  private inFlight = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly limit: number) {}

  /** Each is to be followed by `leave`. Undefined: there was a place; else resolves when there is one. */
  enter(): Promise<void> | undefined {
    if (this.inFlight >= this.limit) return new Promise((resolve) => this.waiting.push(resolve));
    this.inFlight++;
    return undefined;
  }

  leave(): void {
    // the place goes to the next in line, or is free
    const next = this.waiting.shift();
    if (next) next();
    else this.inFlight--;
  }
}
