import type { BlueprintPlan } from './plan.js';
import { replayJournal } from './replay.js';
import type { TurnRecord } from './run.js';

/** How the rows of a journal follow from each other. */
export interface JournalOrder {
  /** For each row that can be accepted those that made its turn ready, the last one last; each row after its causes. */
  readonly causes: ReadonlyMap<TurnRecord, readonly TurnRecord[]>;
  /**
   * Rows whose token is lower than that of a row they follow from, in their order, each with the highest of those: they
   * came to the journal when a rebuild that did not know of them had put the rows before them under new tokens.
   */
  readonly late: ReadonlyMap<TurnRecord, number>;
}

export function journalOrder(plan: BlueprintPlan, rows: readonly TurnRecord[]): JournalOrder {
  const causes = new Map<TurnRecord, readonly TurnRecord[]>();
  const late = new Map<TurnRecord, number>();
  const token = rows.reduce((highest, row) => Math.max(highest, row.token), 0);
  replayJournal(plan, rows, {
    token,
    now: 0,
    graceMs: 0,
    maxTurns: Infinity,
    accepts: (row, before) => {
      causes.set(row, before);
      const highest = before.reduce((most, cause) => Math.max(most, late.get(cause) ?? cause.token), 0);
      if (row.token < highest) late.set(row, highest);
    },
  });
  return { causes, late };
}
