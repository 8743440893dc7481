import type { Settlement } from '../../core/settlement.js';
import { FIRST_TURN } from '../../core/turns.js';

/** What the script `settle` is told for its shorter way: the settled node, and the one after it ('' if there is none). */
export type Straight = readonly [node: string, after: string];

/** The general way. */
export const NOT_STRAIGHT: Straight = ['', ''];

/** Whether a settlement makes one node ready, or none, and does nothing else. */
export function straightOf(settlement: Settlement): Straight {
  const { node, turn, outcome, targets, dynamic, leads = [], settling = [], ...others } = settlement;
  const isPlain = outcome === 'completed' && turn === FIRST_TURN && Object.keys(others).length === 0;
  if (!isPlain || dynamic.length > 0 || leads.length > 0 || settling.length > 0) return NOT_STRAIGHT;
  const [target, ...more] = targets;
  if (!target) return [node, ''];
  if (more.length > 0) return NOT_STRAIGHT;
  const {
    node: after,
    when,
    taken,
    arrivals,
    need,
    passes,
    leads: own = [],
    groups: _groups,
    unmarked: _unmarked,
    ...rest
  } = target;
  const isNext = when === 'joined' && taken && need <= 1 && arrivals.some(({ ifRescued }) => !ifRescued);
  return isNext && passes.length === 0 && own.length === 0 && Object.keys(rest).length === 0
    ? [node, after]
    : NOT_STRAIGHT;
}
