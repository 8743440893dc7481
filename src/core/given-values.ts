import { INPUT_KEY_PREFIX, OUTPUT_KEY_PREFIX, type ContextRow } from './context-view.js';
import type { BlueprintPlan } from './plan.js';
import { keysOf, type TurnName, type TurnRecord } from './run.js';
import { FIRST_TURN } from './turns.js';

/**
 * Most of what a turn writes to the context is its output: as `_outputs.<node>`, and as the input of what follows. That
 * output stands in the turn's row, so the row names the keys that it gives it to, and no value is written for them. Who
 * reads such a key looks at the row of its giver, too: of what is given and a value of the key's own, the newer holds.
 *
 * Only the first turn of a node of the blueprint gives, and an input only to a node that nothing else leads to: so a key
 * has one giver at most, which the blueprint tells.
 */
const MOST_GIVEN = 100;

/** Whether the turn may give its output to keys, instead of writing a value for each. */
export function mayGive(plan: BlueprintPlan, { nodeId, turn }: TurnName): boolean {
  return turn === FIRST_TURN && plan.nodes.has(nodeId);
}

/** The keys that a turn gives its output to, of all those that hold it. Not more than a reader of one key should read. */
export function givenOf(plan: BlueprintPlan, nodeId: string, keys: readonly string[]): string[] {
  const isGiven = (key: string) => giverOf(plan, key) === nodeId;
  return keys.filter(isGiven).slice(0, MOST_GIVEN);
}

/** The nodes whose first turns may give what these keys hold. */
export function giversOf(plan: BlueprintPlan, keys: readonly string[]): string[] {
  const givers = new Set<string>();
  for (const key of keys) {
    const giver = giverOf(plan, key);
    if (giver !== undefined) givers.add(giver);
  }
  return [...givers];
}

function giverOf({ nodes }: BlueprintPlan, key: string): string | undefined {
  if (key.startsWith(OUTPUT_KEY_PREFIX)) {
    const nodeId = key.slice(OUTPUT_KEY_PREFIX.length);
    return nodes.has(nodeId) ? nodeId : undefined;
  }
  if (!key.startsWith(INPUT_KEY_PREFIX)) return undefined;
  const [only, ...others] = nodes.get(key.slice(INPUT_KEY_PREFIX.length))?.predecessors ?? [];
  return only !== undefined && others.length === 0 && nodes.has(only) ? only : undefined;
}

type Giver = Pick<TurnRecord, 'nodeId' | 'turn' | 'token' | 'output' | 'gives'>;

/** What a row gives. The text is that of the output, as the row has it. */
export function givenBy({ nodeId, turn, token, output, gives = [] }: Giver): ContextRow[] {
  if (output === undefined) return [];
  return gives.map((key) => ({ key, stamp: token, value: output, ref: { nodeId, turn } }));
}

/** Whether all that the turn wrote to the context stands in its row. */
export function givesAll(row: TurnRecord): boolean {
  return keysOf(row).every((key) => row.gives?.includes(key));
}

/** One value for each key: the newer of its own and of what is given. Of two that are equally new, its own holds. */
export function newest(values: readonly ContextRow[], given: readonly ContextRow[]): ContextRow[] {
  if (given.length === 0) return [...values];
  const found = new Map<string, ContextRow>();
  for (const value of [...values, ...given]) {
    const other = found.get(value.key);
    if (!other || value.stamp > other.stamp) found.set(value.key, value);
  }
  return [...found.values()];
}

/**
 * A row that is written again, with the values that go with it: what it gives needs no value, and what lies above that
 * is given no more.
 */
export function rewritten(
  row: TurnRecord,
  values: readonly Omit<ContextRow, 'stamp'>[],
): { record: TurnRecord; values: Omit<ContextRow, 'stamp'>[] } {
  const { gives, ...record } = row;
  if (!gives) return { record, values: [...values] };
  // what others have left under such a key has no output with it, or is that of another turn
  const isGiven = ({ key, value, ref }: Omit<ContextRow, 'stamp'>) =>
    gives.includes(key) && value !== undefined && ref?.nodeId === row.nodeId && ref.turn === row.turn;
  const kept = values.filter(isGiven).map(({ key }) => key);
  const own = values.filter((value) => !isGiven(value));
  return { record: { ...record, ...(kept.length > 0 ? { gives: kept } : {}) }, values: own };
}

export function charactersIn(values: readonly ContextRow[]): number {
  return values.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
}
