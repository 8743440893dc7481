import type { Settlement } from '../../core/settlement.js';
import { FIRST_TURN } from '../../core/turns.js';

/**
 * What the script `settle` is told for its shorter way: the settled node, the one after it ('' if there is none), and how
 * many predecessors that one waits for if it is a join, else ''.
 */
export type Straight = readonly [node: string, after: string, need: string];

/** The general way. */
export const NOT_STRAIGHT: Straight = ['', '', ''];

/** Whether a settlement makes one node ready, or none, or arrives at one join, and does nothing else. */
export function straightOf(settlement: Settlement): Straight {
  const { node, turn, outcome, targets, dynamic, leads = [], settling = [], ...more } = settlement;
  const isPlain = outcome === 'completed' && turn === FIRST_TURN && Object.keys(more).length === 0;
  if (!isPlain || dynamic.length > 0 || leads.length > 0 || settling.length > 0) return NOT_STRAIGHT;
  const [target, ...further] = targets;
  if (!target) return [node, '', ''];
  if (further.length > 0) return NOT_STRAIGHT;
  const { node: after, when, taken, arrivals, need, passes, leads: own = [], groups, unmarked, ...rest } = target;
  const isTold =
    when === 'joined' && taken && passes.length === 0 && own.length === 0 && Object.keys(rest).length === 0;
  if (!isTold) return NOT_STRAIGHT;
  if (need <= 1) return arrivals.some(({ ifRescued }) => !ifRescued) ? [node, after, ''] : NOT_STRAIGHT;
  const [arrival, ...others] = arrivals;
  const isOne = others.length === 0 && arrival?.from === node && arrival.passes.length === 0 && !arrival.ifRescued;
  const isCountedOnce = groups.length === 1 && groups[0]?.length === 0 && !unmarked;
  return isOne && isCountedOnce ? [node, after, String(need)] : NOT_STRAIGHT;
}
