import { prefixOf, workerPrefix } from './batch.js';
import type { ContextRow } from './context-view.js';
import { groupBy } from './group-by.js';
import { replayJournal } from './replay.js';
import type { BlueprintPlan } from './plan.js';
import type { TurnName, TurnRecord, TurnStatus } from './run.js';

/** How a run that had ended was opened again. It stands in the head of the run, so whoever rebuilds the run applies it. */
export interface RetryRecord {
  /** Names this retry, so that a repeated call finds its own. */
  readonly id: string;
  /** Rows of the journal below this stamp are of an earlier attempt of the run. */
  readonly stamp: number;
  /** Turns of these nodes are discarded whatever their outcome; absent: those that failed or were cancelled. */
  readonly from?: readonly string[];
  /** Serialized values by context key, which hold from now on. */
  readonly patch: Readonly<Record<string, string>>;
  /** By node, the attempt in which its turns were discarded although they had completed: part of its idempotency keys. */
  readonly keys: Readonly<Record<string, number>>;
  /** The run was started with a time limit, which begins anew: milliseconds since 1970. */
  readonly deadline?: number;
}

/** What a retry does. */
export interface RetryPlan {
  /** Turns that execute at once. */
  readonly ready: readonly TurnName[];
  /** Outcomes that are discarded: these turns execute again once they become ready. */
  readonly discarded: readonly (TurnName & { readonly status: TurnStatus })[];
  /** Nodes that may execute after those. */
  readonly follow: readonly string[];
}

/** A node, the nodes that its edges and fallbacks lead to, those added to the run, and what those lead to. */
export function nodesFrom(plan: BlueprintPlan, starts: Iterable<string>, rows: readonly TurnRecord[]): Set<string> {
  const found = new Set(starts);
  const add = (id: string | undefined) => {
    if (id !== undefined && plan.nodes.has(id)) found.add(id);
  };
  const adding = rows.filter((row) => row.dynamicNodes ?? row.batch);
  const byCreator = groupBy(adding, ({ nodeId }) => nodeId);
  const gathersOf = gathersIn(adding);
  for (const id of found) {
    const node = plan.nodes.get(id);
    for (const next of node?.targets ?? []) add(next);
    add(node?.fallback);
    for (const { target } of plan.edgesOfAdded.get(id) ?? []) add(target);
    for (const rescued of node?.rescues ?? []) for (const next of plan.nodes.get(rescued)?.targets ?? []) add(next);
    for (const { gather } of node ? [] : gathersOf(id)) add(gather);
    for (const { dynamicNodes = [], batch, gather } of byCreator.get(id) ?? []) {
      for (const added of dynamicNodes) found.add(added.id);
      if (batch) for (const { nodeId } of rows) if (nodeId.startsWith(workerPrefix(batch))) found.add(nodeId);
      add(gather);
    }
  }
  return found;
}

/** Finds what gathers a node that was added to the run. */
function gathersIn(adding: readonly TurnRecord[]): (id: string) => Pick<TurnRecord, 'gather'>[] {
  const added = adding.flatMap(({ dynamicNodes = [], gather }) => dynamicNodes.map(({ id }) => ({ id, gather })));
  const batches = adding.flatMap(({ batch, gather }) => (batch ? [{ prefix: workerPrefix(batch), gather }] : []));
  const byId = groupBy(added, ({ id }) => id);
  const byPrefix = groupBy(batches, ({ prefix }) => prefix);
  return (id) => [...(byId.get(id) ?? []), ...(byPrefix.get(prefixOf(id) ?? '') ?? [])];
}

/**
 * The journal and the values of a run as a retry leaves them: discarded rows stand as `reset`, what they wrote is gone.
 * Applying it again changes nothing.
 */
export function applyRetry(
  plan: BlueprintPlan,
  retry: RetryRecord,
  rows: readonly TurnRecord[],
  values: readonly ContextRow[],
  base: ReadonlyMap<string, string>,
): { rows: TurnRecord[]; values: ContextRow[] } {
  const discarded = discardedBy(plan, retry, rows);
  if (discarded.size === 0) return { rows: [...rows], values: [...values] };
  const undone = new Map<string, number>();
  for (const row of discarded)
    // a failed node's writes stay, as they do between two tries of a node
    if (row.status === 'completed')
      for (const key of [...row.writes, ...row.inputsWritten, `_outputs.${row.nodeId}`]) undone.set(key, row.token);
  return {
    rows: rows.map((row) => (discarded.has(row) ? resetOf(row) : row)),
    values: values.map((value) => (undone.get(value.key) === value.stamp ? before(value, base) : value)),
  };
}

/** What a retry of this run would do. */
export function planOf(plan: BlueprintPlan, retry: RetryRecord, rows: readonly TurnRecord[]): RetryPlan {
  const discarded = discardedBy(plan, retry, rows);
  const kept = rows.filter((row) => !discarded.has(row));
  const ready = replayed(plan, kept)
    .turns()
    .filter(({ state }) => state === 'C')
    .map(({ node, turn }) => ({ nodeId: node, turn }));
  const starts = ready.map(({ nodeId }) => nodeId);
  const follow = [...nodesFrom(plan, starts, rows)].filter((id) => !starts.includes(id));
  return {
    ready,
    discarded: [...discarded].map(({ nodeId, turn, status }) => ({ nodeId, turn, status })),
    follow,
  };
}

/** Nodes with a completed turn that is discarded: their side effects are wanted again, under another key. */
export function rekeyed(plan: BlueprintPlan, retry: RetryRecord, rows: readonly TurnRecord[]): Set<string> {
  const discarded = [...discardedBy(plan, retry, rows)];
  return new Set(discarded.filter(({ status }) => status === 'completed').map(({ nodeId }) => nodeId));
}

function discardedBy(plan: BlueprintPlan, retry: RetryRecord, rows: readonly TurnRecord[]): Set<TurnRecord> {
  const from = retry.from && new Set(retry.from);
  const isNamed = (row: TurnRecord) =>
    // the subflows of a run that ended have ended with it, or are nobody's any more
    row.awaiting?.childRunId !== undefined ||
    // what was under way when the run was stopped
    row.status === 'cancelled' ||
    (from ? from.has(row.nodeId) : row.status === 'failed' && row.rescuer === undefined);
  const old = rows.filter((row) => row.token < retry.stamp && row.status !== 'reset');
  const discarded = new Set(old.filter(isNamed));
  if (discarded.size === 0) return discarded;
  // what only became ready because of a discarded outcome goes with it
  const reached = replayed(
    plan,
    rows.filter((row) => !discarded.has(row)),
  );
  for (const row of old) {
    const state = reached.turn(row.nodeId, row.turn)?.state;
    if (state !== 'D' && state !== 'W') discarded.add(row);
  }
  return discarded;
}

function replayed(plan: BlueprintPlan, rows: readonly TurnRecord[]) {
  const token = rows.reduce((highest, row) => Math.max(highest, row.token), 0) + 1;
  return replayJournal(plan, rows, { token, now: token, graceMs: 0, maxTurns: Number.MAX_SAFE_INTEGER });
}

function resetOf(row: TurnRecord): TurnRecord {
  const { nodeId, turn, token, passes, writes, inputsWritten, worker, attempts, claims, startedAt, endedAt } = row;
  const facts = { nodeId, turn, token, passes, writes, inputsWritten, worker, attempts, claims, startedAt, endedAt };
  return { ...facts, status: 'reset', taken: [] };
}

/** A key as it was before any node wrote it: what another node had written there is not known any more. */
function before({ key, stamp }: ContextRow, base: ReadonlyMap<string, string>): ContextRow {
  const value = base.get(key);
  return value === undefined ? { key, stamp, deleted: true } : { key, stamp, value };
}
