import { ITEM_KEY_PREFIX } from './batch.js';
import type { ContextRow } from './context-view.js';
import type { TurnRecord } from './run.js';

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
 */
export function restamp(
  rows: readonly TurnRecord[],
  values: readonly ContextRow[],
  first: number,
): readonly RestampedTurn[] {
  const ordered = [...rows].sort((a, b) => a.token - b.token || (rowName(a) < rowName(b) ? -1 : 1));
  const written = ordered.map((): Omit<ContextRow, 'stamp'>[] => []);
  for (const { stamp, ...value } of values) written[ownerOf(ordered, value.key, stamp)]?.push(value);
  return ordered.map((row, i) => {
    const record = { ...row, token: first + i };
    const own = (written[i] ?? []).filter((value) => !isUnderOutput(value, row));
    const ahead = own.filter(({ key }) => key.startsWith(ITEM_KEY_PREFIX));
    if (ahead.length === 0) return { record, values: own };
    return { record, values: own.filter(({ key }) => !key.startsWith(ITEM_KEY_PREFIX)), ahead };
  });
}

/**
 * The row that a value goes with: the one it was written with. A turn that was written again has left values of its
 * earlier row behind; they go with the next row, which keeps them older than all that came after them.
 */
function ownerOf(ordered: readonly TurnRecord[], key: string, stamp: number): number {
  let low = 0;
  for (let high = ordered.length; low < high;) {
    const middle = (low + high) >>> 1;
    if ((ordered[middle]?.token ?? 0) < stamp) low = middle + 1;
    else high = middle;
  }
  for (let i = low; ordered[i]?.token === stamp; i++) if (writes(ordered[i], key)) return i;
  return Math.min(low, ordered.length - 1);
}

/** What an earlier row has left under the name of the node: older than the node's output, whose alias that name is. */
function isUnderOutput({ key }: Omit<ContextRow, 'stamp'>, row: TurnRecord): boolean {
  const hasOutput = row.output !== undefined && row.status !== 'awaiting';
  return hasOutput && key === row.nodeId && !row.writes.includes(key);
}

function writes(row: TurnRecord | undefined, key: string): boolean {
  if (!row) return false;
  return row.writes.includes(key) || row.inputsWritten.includes(key) || key === `_outputs.${row.nodeId}`;
}

function rowName(row: TurnRecord): string {
  return `${row.nodeId}\u001f${row.turn}`;
}
