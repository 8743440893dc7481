import { LRUCache } from 'lru-cache';
import { SEP } from './ledger-fields.js';
import type { BlueprintPlan } from './plan.js';
import type { TurnRecord } from './run.js';
import { settlementOf, type Origin, type Settlement } from './settlement.js';
import { FIRST_TURN } from './turns.js';

/** Of all settlements that are kept; one unit is about a hundred characters. */
const WEIGHT_KEPT = 50_000;
/** A heavier one is made anew each time. */
const MOST_WEIGHT = 2_000;

/**
 * The settlements of turns. Most nodes stand in no loop and complete with the same edges in every run of a blueprint, so
 * that one object, made once, serves them all; whoever makes something else of it can keep that with it.
 */
export class SharedSettlements {
  private readonly kept = new LRUCache<string, Settlement>({
    maxSize: WEIGHT_KEPT,
    sizeCalculation: weightOf,
  });

  of(plan: BlueprintPlan, row: TurnRecord, origin?: Origin): { settlement: Settlement; isShared: boolean } {
    const key = origin ? undefined : keyOf(plan, row);
    if (key === undefined) return { settlement: settlementOf(plan, row, origin), isShared: false };
    const kept = this.kept.get(key);
    if (kept) return { settlement: kept, isShared: true };
    const settlement = settlementOf(plan, row);
    const isShared = weightOf(settlement) <= MOST_WEIGHT;
    if (isShared) this.kept.set(key, settlement);
    return { settlement, isShared };
  }
}

function weightOf({ targets, leads = [], settling = [] }: Settlement): number {
  let weight = 1 + leads.length;
  for (const { arrivals, passes, groups, leads: own = [] } of [...targets, ...settling])
    weight += 1 + arrivals.length + passes.length + groups.length + own.length;
  return weight;
}

/** All of the row that its settlement depends on; undefined if that is seldom the same in another run. */
function keyOf(plan: BlueprintPlan, row: TurnRecord): string | undefined {
  if (row.status !== 'completed' || row.turn !== FIRST_TURN || row.passes.length > 0) return undefined;
  if (row.dynamicNodes || row.batch || row.gather !== undefined || row.rescuedAdded || row.rescuer !== undefined)
    return undefined;
  // an action that no edge names may be another in each run
  if (row.action !== undefined && !plan.nodes.get(row.nodeId)?.edges.some(({ action }) => action === row.action))
    return undefined;
  // neither ids nor hashes hold a separator; an action may, and comes last
  const head = plan.hash + SEP + row.nodeId + SEP + String(row.taken.length) + SEP + row.taken.join(SEP);
  return head + SEP + (row.output === undefined ? '' : 'o') + SEP + (row.action === undefined ? '' : `a${row.action}`);
}
