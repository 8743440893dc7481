import type { Clock } from '../ports/clock.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';
import type { RunStore } from '../ports/run-store.js';

const FLUSH_MS = 1_000;

/**
 * Tells the ledger and the status rows which runs make progress here: together once a second, not at every hop, and no
 * timer runs while nothing happens.
 */
export class Activity {
  private readonly noted = new Map<string, number>();
  /** When the status row of a run was touched last from here. */
  private readonly touched = new Map<string, number>();
  private cancelTimer: (() => void) | undefined;

  constructor(
    private readonly ledger: Ledger,
    private readonly store: RunStore,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly stalledThresholdMs: number,
  ) {}

  /** `token`: the highest of the run so far. */
  note(runId: string, token: number): void {
    this.noted.set(runId, token);
    this.cancelTimer ??= this.clock.after(FLUSH_MS, () => {
      this.cancelTimer = undefined;
      void this.flush();
    });
  }

  forget(runId: string): void {
    this.noted.delete(runId);
    this.touched.delete(runId);
  }

  close(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  private async flush(): Promise<void> {
    const runs = [...this.noted];
    this.noted.clear();
    if (runs.length === 0) return;
    const now = this.clock.now();
    const due = runs.filter(([runId]) => {
      const last = this.touched.get(runId);
      if (last === undefined) this.touched.set(runId, now); // its start wrote the row
      return last !== undefined && now - last >= this.stalledThresholdMs / 4;
    });
    try {
      await this.ledger.touch(runs.map(([runId]) => runId));
      for (const [runId, token] of due) {
        await this.store.touchStatus(runId, token, now);
        this.touched.set(runId, now);
      }
    } catch (error) {
      // only the reconciler reads this: at worst it asks after a run that is alive
      this.logger.debug('Progress could not be noted.', { error });
    }
  }
}
