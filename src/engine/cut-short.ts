import { chunksOf } from '../core/chunks.js';
import { workerOf } from '../core/identifiers.js';
import type { LedgerState } from '../core/ledger-state.js';
import type { TurnRecord } from '../core/run.js';
import { NOBODY } from '../core/ledger-fields.js';
import type { Clock } from '../ports/clock.js';
import type { Ledger } from '../ports/ledger.js';
import type { RunSignals } from '../ports/run-signals.js';
import type { RunStore } from '../ports/run-store.js';
import type { ActiveRun } from './active-run.js';
import type { Persistence } from './persistence.js';

/** Of a wide run thousands of turns may have been claimed. */
const WRITES_AT_ONCE = 100;

export interface CutShortParts {
  readonly store: RunStore;
  readonly ledger: Ledger;
  readonly signals: RunSignals;
  readonly persistence: Persistence;
  readonly clock: Clock;
}

/** What a turn was doing when its run was ended. */
export interface Interrupted {
  /** Above all tokens of the run. */
  readonly stamp: number;
  /** Turns that were executing, or about to. */
  readonly executing: readonly { readonly nodeId: string; readonly turn: string }[];
  /** Turns that waited. */
  readonly waiting: readonly TurnRecord[];
}

/**
 * Stops what is still at work in a run whose ledger has been closed: the nodes that run are aborted
 * wherever they do, and the journal names what was running or waiting as cancelled, under a stamp that keeps late
 * results out. Every step is safe to repeat.
 */
export async function cutShort(parts: CutShortParts, run: ActiveRun, stamp: number): Promise<Interrupted> {
  const { store, ledger, signals, persistence, clock } = parts;
  const { runId } = run;
  await persistence.until(() => signals.announceCancel(runId), { runId });
  const [state, rows] = await persistence.until(() => Promise.all([ledger.read(runId), store.turns(runId)]), { runId });
  // a retry has opened the run again: what executes now is not of this end
  if (state.fields.size > 0 && state.get('x') === undefined) return { stamp, executing: [], waiting: [] };
  const highest = Math.max(stamp, state.counts().token + 1);
  const executing = executingTurns(state, rows, clock.now());
  // those that were cancelled before this was repeated tell by this what they waited for
  const waiting = rows.filter(
    (row) => row.awaiting && !executing.some((t) => t.nodeId === row.nodeId && t.turn === row.turn),
  );
  const cancelled = [...executing, ...waiting.filter((row) => row.status === 'awaiting')].map((row): TurnRecord => {
    return { ...row, status: 'cancelled', token: highest, endedAt: clock.now() };
  });
  for (const some of chunksOf(cancelled, WRITES_AT_ONCE)) {
    await Promise.all(
      some.map((record) => persistence.until(() => store.write({ runId, record, values: [] }), { runId })),
    );
  }
  return { stamp: highest, executing, waiting };
}

/**
 * Turns without an outcome in the journal. One that is there stays, although it may not have been accepted: the ledger
 * does not tell after it has lost its latest writes.
 */
function executingTurns(state: LedgerState, rows: readonly TurnRecord[], now: number): TurnRecord[] {
  return state.turns().flatMap((turn): TurnRecord[] => {
    if (turn.state !== 'C' || turn.worker === NOBODY) return [];
    const row = rows.find((r) => r.nodeId === turn.node && r.turn === turn.turn);
    if (row && row.status !== 'awaiting' && row.status !== 'cancelled') return [];
    return [
      {
        nodeId: turn.node,
        turn: turn.turn,
        token: turn.token,
        status: 'cancelled',
        passes: turn.passes,
        taken: [],
        writes: [],
        inputsWritten: [],
        worker: workerOf(turn.worker),
        attempts: row?.status === 'cancelled' ? row.attempts : (row?.attempts ?? 0) + 1,
        claims: row?.claims ?? 1,
        // a token is the time at which it was granted
        startedAt: row?.startedAt ?? Math.min(now, Math.floor(turn.token / 1000)),
        endedAt: now,
      },
    ];
  });
}
