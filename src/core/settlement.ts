import { addedNode, sharedPasses, type Source } from './added-nodes.js';
import { workerPrefix, type BatchRecord } from './batch.js';
import type { BatchStart } from './batch-items.js';
import { sharedDepth, type Lead } from './leads.js';
import type { BlueprintPlan, PlanNode } from './plan.js';
import type { TurnRecord } from './run.js';
import { turnOfArrival, turnOfNextPass, FIRST_TURN } from './turns.js';

/** A loop and the pass in question; `null`: the pass that the ledger holds as current. */
export type PassRef = readonly [loop: string, pass: string | null];

/** The settled node, or one in whose name it acts, counts as completed before a target. */
export interface Arrival {
  readonly from: string;
  readonly passes: readonly PassRef[];
  /** Counts only if `from` failed and was rescued in these passes. */
  readonly ifRescued?: true;
}

export interface SettlementTarget {
  readonly node: string;
  /**
   * `each`: ready at each taken arrival (any). `once`: at the first (first). `joined`: when all have arrived (all).
   * `settled`: when an edge was taken and no open turn leads to it any more (settled).
   */
  readonly when: 'each' | 'once' | 'joined' | 'settled';
  readonly taken: boolean;
  readonly arrivals: readonly Arrival[];
  /** How many distinct predecessors the blueprint gives the target. */
  readonly need: number;
  /** Loops around the target; they name its turn unless `turn` or `entry` does. */
  readonly passes: readonly PassRef[];
  /** Loops around each kind of predecessor: their arrivals are counted apart, so that a new pass starts some from zero. */
  readonly groups: readonly (readonly string[])[];
  readonly turn?: string;
  /** The target is a controller entered from outside; the turn needs the passes around it. */
  readonly entry?: { readonly source: string; readonly turn: string; readonly plain: boolean };
  /** Becomes ready only if it has not yet been ready in these passes. */
  readonly fresh?: true;
  /** Becoming ready opens a new pass of this loop. */
  readonly opensPass?: true;
  /** The arrivals are those of dynamic nodes, which are counted for themselves. */
  readonly gathers?: true;
  /** Each turn arrives once, when it ends: no mark is kept of it. */
  readonly unmarked?: true;
  /** `settled` joins that a turn of the target may lead to. */
  readonly leads?: readonly Lead[];
}

/** What the ledger is told when a turn settles: a pure function of the plan and the journal row. */
export interface Settlement {
  readonly node: string;
  readonly turn: string;
  readonly outcome: 'completed' | 'failed' | 'rescued' | 'awaiting';
  /** The run ends with this failure. */
  readonly endsRun?: true;
  readonly targets: readonly SettlementTarget[];
  /** Targets to be told at once if the rescuer (a shared fallback) has settled before. */
  readonly late?: {
    readonly rescuer: string;
    readonly passes: readonly PassRef[];
    readonly targets: readonly SettlementTarget[];
  };
  readonly rescuedPasses?: readonly PassRef[];
  /** The node is a loop controller: its turns open passes. */
  readonly opensPasses?: true;
  /** The node has waited for something from outside. */
  readonly pauses?: true;
  /** The batch that this turn began. */
  readonly batch?: BatchStart;
  /** The batch that this turn works for. */
  readonly workerOf?: string;
  /** Nodes that this turn added to the run, and the node that gathers them. */
  readonly dynamic: readonly string[];
  readonly gather?: string;
  /** `settled` joins that the dynamic nodes may lead to. */
  readonly dynamicLeads?: readonly Lead[];
  /** `settled` joins that this turn does not lead to any more. */
  readonly leads?: readonly Lead[];
  /** `settled` joins that may become ready by that, or because an edge was taken into them; in the order to look at them. */
  readonly settling?: readonly SettlementTarget[];
}

/** Where a dynamic node comes from, and the node that waits for it. */
export interface Origin {
  readonly creator: string;
  readonly creatorTurn: string;
  readonly gather?: string;
  /** It is a worker of the batch with this prefix. */
  readonly batch?: string;
}

const PAUSING_TYPES: ReadonlySet<string> = new Set(['wait', 'sleep']);

/** Derives the settlement from a journal row; `origin` only for the row of a dynamic node. */
export function settlementOf(plan: BlueprintPlan, row: TurnRecord, origin?: Origin): Settlement {
  const node = plan.nodes.get(row.nodeId);
  const base = {
    node: row.nodeId,
    turn: row.turn,
    ...(node?.isController ? { opensPasses: true as const } : {}),
    ...(PAUSING_TYPES.has(node?.definition.uses ?? '') ? { pauses: true as const } : {}),
  };
  const creator = node ?? plan.nodes.get(origin?.creator ?? '');
  const leads = node?.leads ?? gatherLeads(plan, creator, origin?.gather);
  const worker =
    node || origin?.batch === undefined ? {} : { workerOf: origin.batch, ...(leads.length > 0 ? { leads } : {}) };
  if (row.status === 'awaiting') return { ...base, ...worker, outcome: 'awaiting', targets: [], dynamic: [] };
  const gather = row.gather !== undefined && plan.nodes.has(row.gather) ? row.gather : undefined;
  const dynamicLeads = gatherLeads(plan, creator, gather);
  const added = {
    ...worker,
    dynamic: (row.dynamicNodes ?? []).map((n) => n.id),
    ...(row.batch ? { batch: batchStart(row.batch, plan.nodes.get(gather ?? '')) } : {}),
    ...(gather === undefined ? {} : { gather }),
    ...(dynamicLeads.length > 0 ? { dynamicLeads } : {}),
  };
  const loops = creator?.loops ?? [];
  const known = new Map(loops.map((loop, i) => [loop, row.passes[i] ?? null] as const));
  if (node?.isController) known.set(node.id, row.turn); // its own pass, even if a redelivery finds the loop in a later one
  const settling = (targets: readonly SettlementTarget[]) => settlingOf(plan, known, leads, targets);
  const source = node ?? addedNode(plan, row.nodeId, creator);
  const { targets: own, ...outcome } = outcomeOf(plan, source, row, known);
  const hasEdges = row.status === 'completed' && source.targets.length > 0;
  const targets = node ? own : [...own, ...dynamicTargets(plan, row, known, origin, hasEdges)];
  return { ...base, ...added, ...outcome, targets, ...settling(targets) };
}

function outcomeOf(
  plan: BlueprintPlan,
  node: Source,
  row: TurnRecord,
  known: ReadonlyMap<string, string | null>,
): Pick<Settlement, 'outcome' | 'endsRun' | 'targets' | 'late' | 'rescuedPasses'> {
  const target = (id: string, taken: boolean, arrivals: readonly Arrival[]) =>
    targetOf(plan, node, row, known, id, taken, arrivals);
  const isAdded = !plan.nodes.has(node.id);
  const own = (id: string): Arrival => {
    const before = plan.nodes.get(id);
    const passes = isAdded && before ? sharedPasses(node.loops, before, known) : passesAround(node, known);
    return { from: node.id, passes };
  };
  const rescued = node.rescues.flatMap((id): Arrival[] => {
    const other = plan.nodes.get(id);
    return other ? [{ from: id, passes: passesAround(other, known), ifRescued: true }] : [];
  });
  const rescuedAdded = row.rescuedAdded ?? [];
  const addedBefore = (id: string): Arrival[] => {
    const target = plan.nodes.get(id);
    const before = rescuedAdded.filter((other) => target?.predecessors.includes(other));
    return target ? before.map((from) => ({ from, passes: sharedPasses(node.loops, target, known) })) : [];
  };
  const inherited = node.rescues.flatMap((id) => plan.nodes.get(id)?.targets ?? []);
  const rescuedBefore = (id: string) => rescued.filter((a) => plan.nodes.get(id)?.predecessors.includes(a.from));

  if (row.status === 'completed') {
    const unused = unusedFallbackOf(plan, node);
    const taken = row.taken.filter((id) => plan.nodes.has(id));
    const ofAdded = rescuedAdded.flatMap((id) => addedNode(plan, id, undefined).targets);
    const ids = new Set([...node.targets, ...inherited, ...ofAdded, ...(unused?.targets ?? []), ...taken]);
    const targets = [...ids].map((id) => {
      const before = (from: string) => plan.nodes.get(id)?.predecessors.includes(from) ?? false;
      const arrivals = [
        ...(before(node.id) ? [own(id)] : []),
        ...rescuedBefore(id),
        ...addedBefore(id),
        ...(unused && before(unused.id) ? [{ from: unused.id, passes: passesAround(unused, known) }] : []),
      ];
      return target(id, taken.includes(id), arrivals);
    });
    return { outcome: 'completed', targets };
  }
  if (row.rescuer !== undefined) {
    const rescuedPasses = passesAround(node, known);
    const rescuer = plan.nodes.get(row.rescuer);
    const told = node.targets.map((id) => target(id, false, [own(id)]));
    // one that was added to the run became ready when it was added; which turn of it counts is not known
    if (!rescuer) return { outcome: 'rescued', targets: told, rescuedPasses };
    const isBefore = rescuer.predecessors.includes(node.id);
    const targets = [target(rescuer.id, true, isBefore ? [own(rescuer.id)] : [])];
    const late = { rescuer: rescuer.id, passes: passesAround(rescuer, known), targets: told };
    return { outcome: 'rescued', targets, rescuedPasses, late };
  }
  if (row.error?.endsRun) return { outcome: 'failed', endsRun: true, targets: [] };
  // What failed has not completed; those whose last rescuer it was have, with the output null.
  return { outcome: 'failed', targets: [...new Set(inherited)].map((id) => target(id, false, rescuedBefore(id))) };
}

function batchStart(batch: BatchRecord, gather: PlanNode | undefined): BatchStart {
  const { items, chunk, window } = batch;
  const lenient = gather?.join === 'settled' ? { lenient: true as const } : {};
  return { prefix: workerPrefix(batch), items, chunk, window, ...lenient };
}

/** What the dynamic nodes of this creator may lead to: their gather, and what that leads to. */
function gatherLeads(plan: BlueprintPlan, creator: PlanNode | undefined, gatherId: string | undefined): Lead[] {
  const gather = plan.nodes.get(gatherId ?? '');
  if (!gather) return [];
  const joins = [...(gather.join === 'settled' ? [gather.id] : []), ...gather.leads.map(({ join }) => join)];
  return joins.map((join) => ({
    join,
    depth: sharedDepth(creator?.loops ?? [], plan.nodes.get(join)?.loops ?? []),
  }));
}

function settlingOf(
  plan: BlueprintPlan,
  known: ReadonlyMap<string, string | null>,
  leads: readonly Lead[],
  targets: readonly SettlementTarget[],
): Pick<Settlement, 'leads' | 'settling'> {
  const joins = new Set(leads.map(({ join }) => join));
  // a loop's controller is not one that leads to the joins within, but may take an edge to one
  for (const { node, when, taken } of targets) if (when === 'settled' && taken) joins.add(node);
  if (joins.size === 0) return {};
  const settling = [...joins].map((id) => {
    const node = plan.nodes.get(id) as PlanNode;
    return { ...baseOf(node, known), when: 'settled' as const, taken: false, arrivals: [] };
  });
  return { ...(leads.length > 0 ? { leads } : {}), settling };
}

/** A fallback that nothing else leads to can no longer run once the only node that names it has completed. */
function unusedFallbackOf(plan: BlueprintPlan, node: Source): PlanNode | undefined {
  const fallback = node.fallback === undefined ? undefined : plan.nodes.get(node.fallback);
  return fallback && fallback.predecessors.length === 0 && fallback.rescues.length === 1 ? fallback : undefined;
}

function targetOf(
  plan: BlueprintPlan,
  source: Source,
  row: TurnRecord,
  known: ReadonlyMap<string, string | null>,
  id: string,
  taken: boolean,
  arrivals: readonly Arrival[],
): SettlementTarget {
  const node = plan.nodes.get(id) as PlanNode;
  const base = { ...baseOf(node, known), taken, arrivals };
  const fresh = taken && isWithoutMatch(plan, source, row, id) ? { fresh: true as const } : {};
  if (row.rescuer === id) return { ...base, ...asRescuer(node, row) };
  if (node.join === 'first') return { ...base, when: 'once' };
  if (node.join === 'settled') return { ...base, when: 'settled' };
  if (node.join !== 'any') return { ...base, when: 'joined' };
  if (!node.isController) return { ...base, ...fresh, when: 'each', turn: turnOfArrival(source.id, row.turn) };
  const pass = known.get(id);
  if (pass !== undefined && pass !== null) return { ...base, ...fresh, when: 'each', turn: turnOfNextPass(pass) };
  const entries = node.predecessors.filter((p) => !node.body.has(p));
  const plain = entries.length === 1 && source.join !== 'any' && (row.turn === FIRST_TURN || source.loops.length > 0);
  return { ...base, ...fresh, when: 'each', entry: { source: source.id, turn: row.turn, plain } };
}

/** No edge matched, and flowcraft went on to this target all the same: it does so once only. */
function isWithoutMatch(plan: BlueprintPlan, source: Source, row: TurnRecord, target: string): boolean {
  if (row.output === undefined) return true;
  const edges = [...source.edges, ...source.rescues.flatMap((id) => plan.nodes.get(id)?.edges ?? [])];
  const matches = (action: string | undefined) => !action || action === row.action;
  return !edges.some((e) => e.target === target && matches(e.action));
}

const WHEN = { any: 'each', first: 'once', settled: 'settled', all: 'joined' } as const;

function dynamicTargets(
  plan: BlueprintPlan,
  row: TurnRecord,
  known: ReadonlyMap<string, string | null>,
  origin: Origin | undefined,
  hasEdges: boolean,
): SettlementTarget[] {
  const gather = origin?.gather === undefined ? undefined : plan.nodes.get(origin.gather);
  if (!gather || (row.status !== 'completed' && row.rescuer === undefined)) return [];
  return [
    {
      ...baseOf(gather, known),
      when: WHEN[gather.join],
      // an edge of its own that was taken leads away from the gather
      taken: hasEdges ? row.taken.includes(gather.id) : !gather.hasConditionalEntry,
      arrivals: [{ from: turnOfArrival(row.nodeId, row.turn), passes: [] }],
      ...(origin?.batch === undefined ? {} : { unmarked: true as const }),
      gathers: true,
      ...(gather.join === 'any' ? { turn: turnOfArrival(row.nodeId, row.turn) } : {}),
    },
  ];
}

/** How a failure leads to a fallback: as a taken edge does. */
function asRescuer(rescuer: PlanNode, row: TurnRecord): Pick<SettlementTarget, 'when' | 'turn'> {
  if (rescuer.join === 'any' && !rescuer.isController)
    return { when: 'each', turn: turnOfArrival(row.nodeId, row.turn) };
  return { when: rescuer.predecessors.length === 0 ? 'once' : 'joined' };
}

function baseOf(
  node: PlanNode,
  known: ReadonlyMap<string, string | null>,
): Pick<SettlementTarget, 'node' | 'need' | 'passes' | 'groups' | 'opensPass' | 'leads'> {
  return {
    node: node.id,
    need: node.predecessors.length,
    passes: passesAround(node, known),
    groups: node.predecessorLoops,
    ...(node.isController ? { opensPass: true as const } : {}),
    ...(node.leads.length > 0 ? { leads: node.leads } : {}),
  };
}

function passesAround(node: Pick<PlanNode, 'loops'>, known: ReadonlyMap<string, string | null>): PassRef[] {
  return node.loops.map((loop) => [loop, known.get(loop) ?? null] as const);
}
