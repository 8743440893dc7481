import type { TurnName } from './run.js';

/**
 * How the context of a run reads. It has two layers:
 *
 * - the base: the initial context, which never changes: `Map<key, text>`, each text one value as ValueCodec writes it;
 * - rows over it: one for each key that was set or deleted since, with the stamp of the write.
 *
 * flowcraft stores a node's output twice, as `_outputs.X` and as `X`. Here only the row `_outputs.X` is written, and
 * `X` reads as its alias, until somebody sets or deletes `X` itself later: of the two rows the newer one holds. A node
 * that writes an `_outputs.X` that is not its output writes `X`, too, as it is: of two rows that are equally new, `X`
 * itself holds. The base has no aliases: an `_outputs.X` in it is what the caller put there.
 *
 * All functions are pure; rows are any objects of the shape of the port's `StoredValue`.
 */
export interface ContextRow {
  readonly key: string;
  readonly stamp: number;
  /** Serialized; absent for a deleted key, and for a reference unless its output was read with it. */
  readonly value?: string;
  /** The value is the output of this turn. */
  readonly ref?: TurnName;
  readonly deleted?: true;
}

/** What a key holds: serialized text, or the output of a turn, which the caller must look up. */
export type Resolved =
  { readonly value: string; readonly ref?: never } | { readonly ref: TurnName; readonly value?: never };

/** Keys that start so belong to the engine: no node and no user ever sees them. */
export const INTERNAL_KEY_PREFIX = '\u0001';
export const OUTPUT_KEY_PREFIX = '_outputs.';
export const INPUT_KEY_PREFIX = '_inputs.';

/** Marks that a transforming edge replaced the declared inputs of a node, which then holds for the rest of the run. */
export function overrideKey(nodeId: string): string {
  return internalKey('override', nodeId);
}

export function internalKey(...parts: string[]): string {
  return INTERNAL_KEY_PREFIX + parts.join('.');
}

export function isInternalKey(key: string): boolean {
  return key.startsWith(INTERNAL_KEY_PREFIX);
}

/** The row that `key` is an alias of; none for keys that no node id can share. */
function aliasedKey(key: string): string | undefined {
  const reserved = key.startsWith(OUTPUT_KEY_PREFIX) || key.startsWith(INPUT_KEY_PREFIX) || isInternalKey(key);
  return reserved ? undefined : OUTPUT_KEY_PREFIX + key;
}

/** The key that is an alias of this one; none if this one is no output, or of nothing that a node can be called. */
export function aliasOf(key: string): string | undefined {
  if (!key.startsWith(OUTPUT_KEY_PREFIX)) return undefined;
  const alias = key.slice(OUTPUT_KEY_PREFIX.length);
  return aliasedKey(alias) === undefined ? undefined : alias;
}

/** The keys of the rows that decide what `key` holds: read these, then `resolve`. */
export function lookupKeys(key: string): string[] {
  const aliased = aliasedKey(key);
  return aliased === undefined ? [key] : [key, aliased];
}

/**
 * What `key` holds; undefined if it is not in the context. Internal keys resolve as well.
 * @param rows at least the stored rows of `lookupKeys(key)`; others are passed over
 */
export function resolve(
  key: string,
  rows: Iterable<ContextRow>,
  base: ReadonlyMap<string, string>,
): Resolved | undefined {
  const aliased = aliasedKey(key);
  let row: ContextRow | undefined;
  for (const candidate of rows) {
    if (candidate.key !== key && candidate.key !== aliased) continue;
    if (!row || isOver(candidate, row)) row = candidate;
  }
  if (row) return contentOf(row);
  const text = base.get(key);
  return text === undefined ? undefined : { value: text };
}

/**
 * The whole context, aliases included and internal keys left out: first the keys of the base in its order, then those
 * that only rows hold.
 */
export function overlay(rows: Iterable<ContextRow>, base: ReadonlyMap<string, string>): Map<string, Resolved> {
  const winners = new Map<string, ContextRow>();
  const offer = (key: string, row: ContextRow) => {
    const other = winners.get(key);
    if (!other || isOver(row, other)) winners.set(key, row);
  };
  for (const row of rows) {
    if (isInternalKey(row.key)) continue;
    offer(row.key, row);
    const alias = aliasOf(row.key);
    if (alias !== undefined) offer(alias, row);
  }
  const context = new Map<string, Resolved>();
  for (const [key, text] of base) if (!isInternalKey(key)) context.set(key, { value: text });
  for (const [key, row] of winners) {
    const content = contentOf(row);
    if (content) context.set(key, content);
    else context.delete(key);
  }
  return context;
}

/** Of a key's own row and the output that it is an alias of, the newer holds; its own if they are equally new. */
function isOver(row: ContextRow, other: ContextRow): boolean {
  if (row.stamp !== other.stamp) return row.stamp > other.stamp;
  return row.key.length < other.key.length;
}

function contentOf(row: ContextRow): Resolved | undefined {
  if (row.deleted) return undefined;
  if (row.value !== undefined) return { value: row.value };
  return row.ref && { ref: row.ref };
}
