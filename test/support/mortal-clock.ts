import { SystemClock } from '../../src/drivers/system/system-clock.js';
import type { Clock } from '../../src/ports/clock.js';

/** The clock of a process that can be lost: its timers die with it. */
export class MortalClock implements Clock {
  private readonly system = new SystemClock();
  private readonly cancels = new Set<() => void>();
  private dead = false;

  now(): number {
    return this.system.now();
  }

  after(ms: number, run: () => void): () => void {
    if (this.dead) return () => undefined;
    const cancel = this.system.after(ms, () => {
      this.cancels.delete(cancel);
      run();
    });
    this.cancels.add(cancel);
    return () => {
      this.cancels.delete(cancel);
      cancel();
    };
  }

  die(): void {
    this.dead = true;
    for (const cancel of this.cancels) cancel();
    this.cancels.clear();
  }
}
