import type { LedgerState } from '../core/ledger-state.js';
import type { TurnRecord } from '../core/run.js';

/** Nobody holds what is open, at least as far as this clock goes; that a job for it may be on its way is left to the probe. */
export function isStranded(state: LedgerState, now: number): boolean {
  // the run itself is not ended: it was opened again, by somebody who came no further
  if (state.get('x') !== undefined) return true;
  if (state.counts().open === 0) return false;
  return state.turns().every((turn) => turn.state !== 'C' || turn.until <= now);
}

/**
 * A ledger that failed over without its latest writes can have a turn wait that the journal knows as ended: nobody
 * answers it a second time.
 */
export function isBehind(state: LedgerState, journal: readonly TurnRecord[]): boolean {
  if (state.get('x') !== undefined) return false;
  const ended = new Set(journal.filter((row) => row.status !== 'awaiting').map((row) => key(row.nodeId, row.turn)));
  return state.turns().some((turn) => turn.state === 'W' && ended.has(key(turn.node, turn.turn)));
}

function key(nodeId: string, turn: string): string {
  return `${nodeId}\u001f${turn}`;
}
