import { isEndStatus, type EndStatus } from '../core/run.js';
import type { Ledger } from '../ports/ledger.js';
import type { RunStore } from '../ports/run-store.js';
import type { ActiveRun } from './active-run.js';
import type { Finisher } from './finisher.js';
import type { Persistence } from './persistence.js';

/** Ends runs that still have work to do. */
export class RunEnder {
  constructor(
    private readonly store: RunStore,
    private readonly ledger: Ledger,
    private readonly finisher: Finisher,
    private readonly persistence: Persistence,
  ) {}

  /** Ends a run as the caller decides, unless it has ended already. Answers the status that it has then. */
  async end(run: ActiveRun, status: EndStatus, reason: string | undefined): Promise<EndStatus> {
    const { store, ledger, finisher, persistence } = this;
    const { runId } = run;
    for (;;) {
      const [found, state, now] = await persistence.until(
        () => Promise.all([store.run(runId), ledger.read(runId), ledger.now()]),
        { runId },
      );
      const record = found ?? run.record;
      if (isEndStatus(record.status)) {
        await finisher.complete(run, record);
        return record.status;
      }
      // first, so that somebody comes to finish this if this process is lost on the way
      await persistence.until(() => ledger.touch([runId]), { runId });
      const stamp = Math.max(now, state.counts().token) + 1;
      const ended = await finisher.finish({ ...run, record }, status, reason, { stamp, isCutShort: true });
      // else it was opened again meanwhile
      if (ended !== undefined) return ended;
    }
  }
}
