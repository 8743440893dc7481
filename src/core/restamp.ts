import { ITEM_KEY_PREFIX } from './batch.js';
import type { ContextRow } from './context-view.js';
import { rewritten } from './given-values.js';
import { byToken, keysOf, type TurnRecord } from './run.js';

/** A row of the journal under its new token, and the values to be written again with it. */
export interface RestampedTurn {
  readonly record: TurnRecord;
  readonly values: readonly Omit<ContextRow, 'stamp'>[];
  /** The items of a batch that the turn began. */
  readonly ahead?: readonly Omit<ContextRow, 'stamp'>[];
}

/**
 * Puts all that a run has recorded under new tokens, so that no late write of an older claimant can change it. Tokens
 * keep their order, since the order of stamps says which of two values is the newer one, and no two rows share one, so
 * that each value is written again with one row. Answers the rows in that order.
 * @param first the lowest of the new tokens: above the time, and above every stamp that may still be on its way
 * @param late rows that belong behind those with this token, although their own is lower
 */
export function restamp(
  rows: readonly TurnRecord[],
  stored: readonly ContextRow[],
  first: number,
  late: ReadonlyMap<TurnRecord, number> = new Map(),
): readonly RestampedTurn[] {
  const behind = new Map([...late.keys()].map((row, i) => [row, i]));
  const placed = rows.map((row) => ({ row, at: late.get(row) ?? row.token, order: behind.get(row) ?? -1 }));
  placed.sort((a, b) => a.at - b.at || a.order - b.order || (rowName(a.row) < rowName(b.row) ? -1 : 1));
  const ordered = placed.map(({ row }) => row);
  const values = valuesByRow(placed, stored);
  return ordered.map((row, i) => {
    const kept = (values.get(row) ?? []).filter((value) => !isUnderOutput(value, row));
    const { record, values: own } = rewritten({ ...row, token: first + i }, kept);
    const ahead = own.filter(({ key }) => key.startsWith(ITEM_KEY_PREFIX));
    if (ahead.length === 0) return { record, values: own };
    return { record, values: own.filter(({ key }) => !key.startsWith(ITEM_KEY_PREFIX)), ahead };
  });
}

/**
 * The values that go with each row: those it was written with. A turn that was written again has left values of its
 * earlier row behind; they go with the next row, which keeps them older than all that came after them.
 */
function valuesByRow(
  placed: readonly { readonly row: TurnRecord; readonly at: number }[],
  stored: readonly ContextRow[],
): Map<TurnRecord, Omit<ContextRow, 'stamp'>[]> {
  const writers = byToken(placed.map(({ row }) => row));
  const found = new Map<TurnRecord, Omit<ContextRow, 'stamp'>[]>();
  for (const { stamp, ...value } of stored) {
    const own = writers.get(stamp);
    const row = own?.find((writer) => keysOf(writer).includes(value.key)) ?? own?.[0] ?? nextRow(placed, stamp);
    if (!row) continue;
    const values = found.get(row);
    if (values) values.push(value);
    else found.set(row, [value]);
  }
  return found;
}

/** What an earlier row has left under the name of the node: older than the node's output, whose alias that name is. */
function isUnderOutput({ key }: Omit<ContextRow, 'stamp'>, row: TurnRecord): boolean {
  const hasOutput = row.output !== undefined && row.status !== 'awaiting';
  return hasOutput && key === row.nodeId && !row.writes.includes(key);
}

function nextRow(
  placed: readonly { readonly row: TurnRecord; readonly at: number }[],
  stamp: number,
): TurnRecord | undefined {
  let low = 0;
  for (let high = placed.length; low < high;) {
    const middle = (low + high) >>> 1;
    if ((placed[middle]?.at ?? 0) < stamp) low = middle + 1;
    else high = middle;
  }
  return placed[Math.min(low, placed.length - 1)]?.row;
}

function rowName(row: TurnRecord): string {
  return `${row.nodeId}\u001f${row.turn}`;
}
