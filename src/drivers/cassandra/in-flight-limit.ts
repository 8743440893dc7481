/**
 * Bounds the statements that are on their way at a time; the others wait for their turn. Without it a burst fills the
 * driver's connections, which then refuse what comes (BusyConnectionError), and queues on the server until statements
 * time out.
 */
export class InFlightLimit {
  private inFlight = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly limit: number) {}

  async run<T>(statement: () => Promise<T>): Promise<T> {
    if (this.inFlight < this.limit) this.inFlight++;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await statement();
    } finally {
      // the place goes to the next in line, or is free
      const next = this.waiting.shift();
      if (next) next();
      else this.inFlight--;
    }
  }
}
