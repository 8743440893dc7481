import type { Clock } from '../../ports/clock.js';

/** The longest delay that Node's timers take; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The clock of this machine. */
export class SystemClock implements Clock {
  now(): number {
    return Date.now();
  }

  after(ms: number, run: () => void): () => void {
    let timer: NodeJS.Timeout;
    const wait = (left: number) => {
      const step = Math.min(Math.max(0, left), LONGEST_TIMER_MS);
      timer = setTimeout(() => (left > step ? wait(left - step) : run()), step);
    };
    wait(ms);
    return () => clearTimeout(timer);
  }
}
