import { NOBODY } from './ledger-fields.js';
import { LedgerState, type StartTurn } from './ledger-state.js';
import type { BlueprintPlan } from './plan.js';
import { isRetry, wakeUpTime, type TurnRecord } from './run.js';
import { settlementOf } from './settlement.js';
import { BEFORE_FIRST_PASS, turnOfPasses } from './turns.js';

/** The turns that a run of this plan begins with. */
export function startTurns(plan: BlueprintPlan): (StartTurn & { readonly turn: string })[] {
  return plan.startNodeIds.map((node) => {
    const { loops = [], leads = [] } = plan.nodes.get(node) ?? {};
    const passes = loops.map(() => BEFORE_FIRST_PASS);
    return { node, turn: turnOfPasses(passes), passes, ...(leads.length > 0 ? { leads } : {}) };
  });
}

export interface ReplayOptions {
  /** Token of the rebuild: at least as high as that of every row. */
  readonly token: number;
  /** Microseconds. */
  readonly now: number;
  /** For so long nobody else can claim what is open: living executors claim theirs again first. */
  readonly graceMs: number;
  readonly maxTurns: number;
  /** Hears of each row that is accepted, in this order, and of those that made its turn ready, in theirs. */
  readonly accepts?: (row: TurnRecord, causes: readonly TurnRecord[]) => void;
  /** Milliseconds since 1970: a run of which nothing is recorded waits until then. */
  readonly startAt?: number | undefined;
}

/**
 * Derives the ledger of a run from its journal; `restamp` has put the rows under tokens of the rebuild. Rows are taken in
 * the order of their tokens among those whose turn has become ready, so the result does not depend on the order in which
 * they are given.
 */
export function replayJournal(plan: BlueprintPlan, rows: readonly TurnRecord[], options: ReplayOptions): LedgerState {
  const { token, now } = options;
  const ledger = new LedgerState();
  // a pause that is over has ended, whether or not somebody has begun the next attempt
  const isOver = (row: TurnRecord) => isRetry(row) && (wakeUpTime(row) ?? 0) * 1000 <= now;
  const outcomes = rows.filter((row) => row.status !== 'reset' && !isOver(row));
  const byTurn = new Map(outcomes.map((row) => [key(row.nodeId, row.turn), row]));
  const starts = startTurns(plan);
  const isDelayed = rows.length === 0 && (options.startAt ?? 0) * 1000 > now;
  ledger.open(starts, String(token), token, isDelayed);
  const ready: TurnRecord[] = [];
  const causes = new Map<string, TurnRecord[]>();
  const leads = (cause: TurnRecord, node: string, turn: string) => {
    if (!options.accepts) return;
    const found = causes.get(key(node, turn));
    if (!found) causes.set(key(node, turn), [cause]);
    else if (found.at(-1) !== cause) found.push(cause);
  };
  const take = (node: string, turn: string) => {
    const row = byTurn.get(key(node, turn));
    if (!row || !byTurn.delete(key(node, turn))) return;
    const at = ready.findIndex((other) => other.token > row.token);
    if (at < 0) ready.push(row);
    else ready.splice(at, 0, row);
  };
  // The journal does not tell which turns of one node came first: those that were settled can't be queued behind others.
  const takeQueued = () => {
    for (const { node, turn, state } of byTurn.size > 0 ? ledger.turns() : []) if (state === 'Q') take(node, turn);
    return ready.shift();
  };
  for (const { node, turn } of starts) take(node, turn);
  for (let row = ready.shift(); row; row = ready.shift() ?? takeQueued()) {
    const before = ledger.turn(row.nodeId, row.turn);
    if (!before) continue;
    ledger.putTurn(row.nodeId, row.turn, {
      ...before,
      state: 'C',
      token: row.token,
      worker: NOBODY,
      until: Number.MAX_SAFE_INTEGER,
      claims: row.claims,
    });
    const { origin } = ledger.origin(row.nodeId, row.turn);
    const settlement = settlementOf(plan, row, origin);
    const answer = ledger.settle(
      {
        settlement,
        token: row.token,
        worker: NOBODY,
        leaseMs: 0,
        claim: 0,
        maxTurns: options.maxTurns,
      },
      now,
    );
    if (answer.kind !== 'accepted') continue;
    options.accepts?.(row, causes.get(key(row.nodeId, row.turn)) ?? []);
    // a join has more causes than the one that came last
    for (const target of settlement.targets)
      leads(row, target.node, target.turn ?? turnOfPasses(ledger.resolve(target.passes)));
    for (const { node, turn } of answer.fired) {
      // that a turn of this node was queued behind this one does not make it follow from this one
      if (node !== row.nodeId) leads(row, node, turn);
      take(node, turn);
    }
  }
  for (const open of ledger.turns()) {
    // One that is queued here may have been the one that was executed.
    if (open.state !== 'R' && open.state !== 'Q') continue;
    ledger.add('j', 1);
    ledger.putTurn(open.node, open.turn, {
      state: 'C',
      passes: open.passes,
      token: 0,
      worker: NOBODY,
      until: now + options.graceMs * 1000,
      // whoever may be at work on it counts: the next one has to look whether that one has written meanwhile
      claims: options.graceMs > 0 ? 1 : 0,
      round: open.round,
      // it may have gone on with a worker that is gone
      unsent: true,
      ...(open.made === undefined ? {} : { made: open.made }),
    });
  }
  return ledger;
}

function key(node: string, turn: string): string {
  return `${node}\u001f${turn}`;
}
