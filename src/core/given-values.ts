import { INPUT_KEY_PREFIX, lookupKeys, OUTPUT_KEY_PREFIX, type ContextRow } from './context-view.js';
import type { BlueprintPlan, PlanNode } from './plan.js';
import type { TurnName, TurnRecord } from './run.js';
import { FIRST_TURN } from './turns.js';

type Vertex = Pick<PlanNode, 'id' | 'definition' | 'predecessors' | 'targets'>;

/** Each target that comes by a message reads all of the giver's row: of more of them, or of a large output, none gets it so. */
const MOST_TARGETS = 100;
const MOST_TARGETS_OF_LARGE = 10;
/** Outputs up to this size are stored again where a value has to be written; larger ones are referred to. */
export const INLINE_CHARACTERS = 512;

/**
 * Most of what a turn writes to the context is its output: as `_outputs.<node>`, and as the input of what follows. That
 * output stands in the turn's row, so the row names the keys that it gives it to, and no value is written for them. Who
 * reads such a key looks at the row of its giver, too: of what is given and a value of the key's own, the newer holds.
 *
 * Only first turns give, and an input only to a node that nothing else leads to, so that a key has one giver at most,
 * which the blueprint tells. Nothing gives in blueprints with loops or batches: their journals grow far beyond the keys of
 * their contexts, and who reads a whole context would read all of that.
 * Answers, by context key, the node that gives its output to it.
 */
export function giversIn(nodes: ReadonlyMap<string, Vertex>, isDag: boolean): ReadonlyMap<string, string> {
  const givers = new Map<string, string>();
  const vertices = [...nodes.values()];
  if (!isDag || vertices.some(({ definition }) => definition.uses === 'batch-scatter')) return givers;
  for (const { id, targets } of vertices) {
    givers.set(OUTPUT_KEY_PREFIX + id, id);
    if (targets.length > MOST_TARGETS) continue;
    for (const target of targets)
      if (nodes.get(target)?.predecessors.length === 1) givers.set(INPUT_KEY_PREFIX + target, id);
  }
  return givers;
}

/** The keys that a turn gives its output to, of all those that hold it. */
export function givenOf(
  { givers }: BlueprintPlan,
  { nodeId, turn }: TurnName,
  output: string,
  keys: readonly string[],
): string[] {
  if (turn !== FIRST_TURN) return [];
  const given = keys.filter((key) => givers.get(key) === nodeId);
  const inputs = given.filter((key) => key.startsWith(INPUT_KEY_PREFIX));
  const areTooMany = inputs.length > MOST_TARGETS_OF_LARGE && output.length > INLINE_CHARACTERS;
  return areTooMany ? given.filter((key) => !inputs.includes(key)) : given;
}

/** The nodes whose first turns may give what these keys hold. */
export function giversOf({ givers }: BlueprintPlan, keys: readonly string[]): string[] {
  return [...new Set(keys.flatMap((key) => givers.get(key) ?? []))];
}

type Giver = Pick<TurnRecord, 'nodeId' | 'turn' | 'token' | 'output' | 'gives'>;

/** What a row gives. The text is that of the output, as the row has it. */
export function givenBy({ nodeId, turn, token, output, gives = [] }: Giver): ContextRow[] {
  if (output === undefined) return [];
  return gives.map((key) => ({ key, stamp: token, value: output, ref: { nodeId, turn } }));
}

/** Whether none of these values has a say in what a given key holds, so that it does not matter which of them is newer. */
export function areApart(values: readonly ContextRow[], given: readonly ContextRow[]): boolean {
  if (values.length === 0) return true;
  const keys = new Set(given.map(({ key }) => key));
  return values.every(({ key }) => !lookupKeys(key).some((other) => keys.has(other)));
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
  const { gives = [], ...record } = row;
  // what others have left under such a key has no output with it, or is that of another turn
  const isGiven = ({ key, value, ref }: Omit<ContextRow, 'stamp'>) =>
    gives.includes(key) && value !== undefined && ref?.nodeId === row.nodeId && ref.turn === row.turn;
  const kept = values.filter(isGiven).map(({ key }) => key);
  const own = values.filter((value) => !isGiven(value)).map(withoutGiver);
  return { record: { ...record, ...(kept.length > 0 ? { gives: kept } : {}) }, values: own };
}

/** As a value of its own: its giver may have another output by then, or none. */
function withoutGiver(value: Omit<ContextRow, 'stamp'>): Omit<ContextRow, 'stamp'> {
  return value.value === undefined || !value.ref ? value : { key: value.key, value: value.value };
}

export function charactersIn(values: readonly ContextRow[]): number {
  return values.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
}
