import type { ContextRow } from './context-view.js';
import { journalOrder } from './journal-order.js';
import type { BlueprintPlan } from './plan.js';
import { byToken, keysOf, type TurnRecord } from './run.js';

/**
 * Rows that came to the journal after a rebuild, which did not know of them, had put older values above theirs. Their
 * outcome is there, but not all that they wrote to the context, so they can't be accepted: their turns are executed again.
 *
 * The token of a turn is higher than those of the turns before it, and a rebuild gives new ones to all rows that it knows:
 * a row whose token is lower than that of the row it follows was not among them; nor was one under whose values those of a
 * row before it lie. One that others have followed from was accepted nevertheless.
 */
export function tornRows(
  plan: BlueprintPlan,
  rows: readonly TurnRecord[],
  values: readonly ContextRow[],
): readonly TurnRecord[] {
  const stamps = new Map(values.map((value) => [value.key, value.stamp]));
  const isLost = (row: TurnRecord) => (key: string) => stamps.get(key) !== row.token;
  const overwritten = rows.filter((row) => keysOf(row).some(isLost(row)));
  if (overwritten.length === 0) return [];
  const { causes } = journalOrder(plan, rows);
  const followed = new Set([...causes.values()].flat());
  const written = byToken(rows);
  return overwritten.filter((row) => {
    if (followed.has(row)) return false;
    const last = causes.get(row)?.at(-1);
    if (last && row.token < last.token && row.writes.some(isLost(row))) return true;
    const above = keysOf(row).flatMap((key) => {
      const stamp = stamps.get(key) ?? 0;
      const others = stamp > row.token ? (written.get(stamp) ?? []) : [];
      return others.filter((other) => keysOf(other).includes(key));
    });
    return above.length > 0 && above.some((other) => comesBefore(other, row, causes));
  });
}

/** What a key holds once what a torn row has written there is taken back, and the stamp for that. */
export interface Retraction {
  readonly stamp: number;
  readonly values: readonly Omit<ContextRow, 'stamp'>[];
}

/**
 * Takes back what is left of a torn row, so that its turn does not find it when it is executed again. Whatever had been
 * there before lies above the row, as the rebuild wrote it: where the row is on top, there was nothing but the base.
 */
export function retractionOf(
  row: TurnRecord,
  values: readonly ContextRow[],
  base: ReadonlyMap<string, string>,
): Retraction {
  const own = new Set(keysOf(row));
  const left = values.filter(({ key, stamp }) => stamp === row.token && own.has(key));
  return {
    stamp: row.token + 1,
    values: left.map(({ key }) => {
      const value = base.get(key);
      return value === undefined ? { key, deleted: true } : { key, value };
    }),
  };
}

function comesBefore(
  first: TurnRecord,
  row: TurnRecord,
  causes: ReadonlyMap<TurnRecord, readonly TurnRecord[]>,
): boolean {
  const seen = new Set<TurnRecord>();
  for (const open = [row]; open.length > 0;) {
    for (const cause of causes.get(open.pop() as TurnRecord) ?? []) {
      if (cause === first) return true;
      if (seen.has(cause)) continue;
      seen.add(cause);
      open.push(cause);
    }
  }
  return false;
}
