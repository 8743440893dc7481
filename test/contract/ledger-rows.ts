import type { BlueprintPlan } from '../../src/core/plan.js';
import type { TurnRecord } from '../../src/core/run.js';
import { batchOf, dynamicNodes, targetsOf } from '../support/ledger-walk.js';
import { turnRecord } from '../support/turn-records.js';

export interface ChosenOutcome {
  readonly outcome: string;
  /** One bit for each target. */
  readonly taken: number;
  /** How many nodes the turn adds, if it can. */
  readonly dynamic: number;
}

/** The journal row of a turn that comes to a chosen outcome, or to the nearest that its node allows. */
export function chosenRow(
  plan: BlueprintPlan,
  { node: id, turn, passes }: { node: string; turn: string; passes: readonly string[] },
  { outcome, taken, dynamic }: ChosenOutcome,
): TurnRecord {
  const node = plan.nodes.get(id);
  const row = (fields: Partial<TurnRecord>) => turnRecord(id, { turn, passes, output: '{"v":1}', ...fields });
  if (outcome === 'awaiting') return row({ status: 'awaiting' });
  if (outcome === 'rescued' && node?.fallback !== undefined) return row({ status: 'failed', rescuer: node.fallback });
  if (outcome !== 'completed') return row({ status: 'failed' });
  const edges = { taken: targetsOf(plan, id).filter((_, i) => (taken & (1 << i)) !== 0) };
  if (node?.definition.uses !== 'batch-scatter') return row(edges);
  const gather = String(node.definition.params?.['gatherNodeId']);
  if (taken & 4) return row({ ...edges, batch: batchOf({ node: id, turn }, dynamic * 3), gather });
  return row({ ...edges, dynamicNodes: dynamicNodes({ node: id, turn }, dynamic), gather });
}
