import type { Clock } from '../../src/ports/clock.js';

/** A clock that stands until it is told to move; timers fire in the order of their time. */
export class ManualClock implements Clock {
  private readonly timers = new Set<{ at: number; run: () => void }>();

  constructor(private time = 1_700_000_000_000) {}

  now(): number {
    return this.time;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.time + Math.max(0, ms), run };
    this.timers.add(timer);
    return () => {
      this.timers.delete(timer);
    };
  }

  advance(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const next = [...this.timers].filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.run();
    }
    this.time = end;
  }

  get pending(): number {
    return this.timers.size;
  }
}
