import { LRUCache } from 'lru-cache';
import { SEP } from './ledger-fields.js';
import type { BlueprintPlan } from './plan.js';
import type { TurnRecord } from './run.js';
import { settlementOf, type Origin, type Settlement } from './settlement.js';
import { FIRST_TURN } from './turns.js';

/** Of all settlements that are kept. */
const TARGETS_KEPT = 20_000;

/**
 * The settlements of turns. Most nodes stand in no loop and complete with the same edges in every run of a blueprint, so
 * that one object, made once, serves them all; whoever makes something else of it can keep that with it.
 */
export class SharedSettlements {
  private readonly kept = new LRUCache<string, Settlement>({
    maxSize: TARGETS_KEPT,
    sizeCalculation: ({ targets }) => 1 + targets.length,
  });

  of(plan: BlueprintPlan, row: TurnRecord, origin?: Origin): { settlement: Settlement; isShared: boolean } {
    const key = origin ? undefined : keyOf(plan, row);
    if (key === undefined) return { settlement: settlementOf(plan, row, origin), isShared: false };
    let settlement = this.kept.get(key);
    if (!settlement) this.kept.set(key, (settlement = settlementOf(plan, row)));
    return { settlement, isShared: true };
  }
}

/** All of the row that its settlement depends on; undefined if that is seldom the same in another run. */
function keyOf(plan: BlueprintPlan, row: TurnRecord): string | undefined {
  if (row.status !== 'completed' || row.turn !== FIRST_TURN || row.passes.length > 0) return undefined;
  if (row.dynamicNodes || row.batch || row.gather !== undefined || row.rescuedAdded || row.rescuer !== undefined)
    return undefined;
  // neither ids nor hashes hold a separator; an action may, and comes last
  const head = plan.hash + SEP + row.nodeId + SEP + String(row.taken.length) + SEP + row.taken.join(SEP);
  return head + SEP + (row.output === undefined ? '' : 'o') + SEP + (row.action === undefined ? '' : `a${row.action}`);
}
