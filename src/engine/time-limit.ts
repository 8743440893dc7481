import type { Clock } from '../ports/clock.js';

interface Entry {
  readonly until: number;
  readonly late: () => void;
}

/** One limit in time for any number of promises, kept by one timer, which runs only while there are some. */
export class TimeLimit {
  /** In the order of their ends, since all have the same time. */
  private readonly running = new Set<Entry>();
  private cancelTimer: (() => void) | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly ms: number,
  ) {}

  /** Resolves with `done` when the work ends, or with `late` when it has not ended in time. Rejects as the work does. */
  race(work: Promise<void>): Promise<'done' | 'late'> {
    let late = () => {};
    const limit = new Promise<'late'>((resolve) => (late = () => resolve('late')));
    const entry = { until: this.clock.now() + this.ms, late };
    this.running.add(entry);
    this.cancelTimer ??= this.clock.after(this.ms, () => this.expire());
    const done = work.then(() => 'done' as const).finally(() => this.end(entry));
    return Promise.race([done, limit]);
  }

  private end(entry: Entry): void {
    if (!this.running.delete(entry) || this.running.size > 0) return;
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  private expire(): void {
    this.cancelTimer = undefined;
    const now = this.clock.now();
    for (const entry of this.running) {
      if (entry.until > now) {
        this.cancelTimer = this.clock.after(entry.until - now, () => this.expire());
        return;
      }
      this.running.delete(entry);
      entry.late();
    }
  }
}
