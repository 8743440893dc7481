import type { Reconciler } from '../engine/reconciler.js';
import type { Clock } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';

const EVERY_MS = 60_000;

/** Looks after stalled runs once a minute while a worker works; of a fleet, one worker does. */
export class PeriodicSweep {
  private cancel: (() => void) | undefined;
  private stopped = false;

  constructor(
    private readonly reconciler: Pick<Reconciler, 'sweep'>,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  start(): void {
    if (this.stopped) return;
    this.cancel = this.clock.after(EVERY_MS, () => void this.sweep());
  }

  stop(): void {
    this.stopped = true;
    this.cancel?.();
  }

  private async sweep(): Promise<void> {
    try {
      await this.reconciler.sweep(undefined, { byClock: true });
    } catch (error) {
      if (!this.stopped) this.logger.warn('The search for stalled runs failed; the next is in a minute.', { error });
    }
    this.start();
  }
}
