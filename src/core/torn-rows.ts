import type { ContextRow } from './context-view.js';
import type { BlueprintPlan } from './plan.js';
import { replayJournal } from './replay.js';
import type { TurnRecord } from './run.js';

/**
 * Rows that came to the journal after a rebuild, which did not know of them, had put older values above theirs. Their
 * outcome is there, but not all that they wrote to the context, so they can't be accepted: their turns are executed again.
 *
 * The token of a turn is higher than those of the turns before it, and a rebuild gives new ones to all rows that it knows:
 * a row whose token is lower than that of the row it follows was not among them. One that others have followed from was
 * accepted nevertheless.
 */
export function tornRows(
  plan: BlueprintPlan,
  rows: readonly TurnRecord[],
  values: readonly ContextRow[],
): readonly TurnRecord[] {
  const stamps = new Map(values.map((value) => [value.key, value.stamp]));
  const overwritten = new Set(rows.filter((row) => row.writes.some((key) => stamps.get(key) !== row.token)));
  if (overwritten.size === 0) return [];
  const late = new Set<TurnRecord>();
  const followed = new Set<TurnRecord>();
  const token = rows.reduce((highest, row) => Math.max(highest, row.token), 0);
  replayJournal(plan, rows, {
    token,
    now: 0,
    graceMs: 0,
    maxTurns: Infinity,
    follows: (row, cause) => {
      if (row.token < cause.token) late.add(row);
      followed.add(cause);
    },
  });
  return [...overwritten].filter((row) => late.has(row) && !followed.has(row));
}
