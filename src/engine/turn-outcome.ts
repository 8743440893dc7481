import { isRetry, wakeUpTime, type TurnName, type TurnRecord } from '../core/run.js';
import type { Clock } from '../ports/clock.js';
import type { RunStore, TurnWrite } from '../ports/run-store.js';
import { NotHere, type Abilities } from './abilities.js';
import type { ActiveRun } from './active-run.js';
import type { LeaseKeeper } from './lease-keeper.js';
import type { Persistence } from './persistence.js';
import type { Grant } from './turn-claimer.js';
import type { TurnExecutor } from './turn-executor.js';

export interface Outcome {
  /** What to write for the turn; absent if the claim was lost or the run cancelled while the node ran. */
  readonly write?: TurnWrite | undefined;
  /** The journal holds a row of this stamp: the claim must be repeated above it. */
  readonly floor?: number;
  /** The write comes from the node's code alone: nothing had been in the journal for the turn. */
  readonly isFirst?: boolean;
  /** False: the claim has run out meanwhile, so the write needs another. */
  readonly inTime: () => boolean;
}

export interface ClaimedTurn {
  readonly grant: Grant;
  /** The turn's journal row as it was when the turn was claimed. */
  readonly row: TurnRecord | undefined | 'unread';
  /** What the turn wrote that fired this one, if it is at hand. */
  readonly cause?: TurnWrite;
  /** What this worker has worked out for the turn under an earlier claim. */
  readonly pending?: TurnWrite;
  /** Nobody has had what the node needs for long enough: it fails for that. */
  readonly isLastTry?: boolean;
}

/** What to write for a claimed turn: what is in the journal already, or what its node's code leads to. */
export class TurnOutcomes {
  constructor(
    private readonly executor: TurnExecutor,
    private readonly abilities: Abilities,
    private readonly leases: LeaseKeeper,
    private readonly store: RunStore,
    private readonly persistence: Persistence,
    private readonly clock: Clock,
  ) {}

  async of(run: ActiveRun, name: TurnName, claimed: ClaimedTurn): Promise<Outcome> {
    const { grant, pending } = claimed;
    const { token } = grant;
    const inTime = () => this.leases.holds(grant.askedAt);
    const row = outcomeIn(run, claimed.row === 'unread' ? await this.look(run, name) : claimed.row);
    if (row && row.token >= token) return { floor: row.token, inTime };
    // another's row is there before this one was written: it may have been accepted, in a ledger that has lost its latest writes
    if (pending && (!row || row.token === pending.record.token))
      return { write: { ...pending, record: { ...pending.record, token } }, inTime };
    const isNextAttempt = row && isRetry(row) && (grant.pauseIsOver || (wakeUpTime(row) ?? 0) <= this.clock.now());
    const adopted = row && !isNextAttempt && (await this.executor.adopt(run, row, token));
    return adopted ? { write: adopted, inTime } : this.execute(run, name, claimed, row);
  }

  private async execute(
    run: ActiveRun,
    name: TurnName,
    { grant, cause, isLastTry = false }: ClaimedTurn,
    before: TurnRecord | undefined,
  ): Promise<Outcome> {
    const definition = await this.executor.definition(run, name.nodeId, grant.origin);
    if (!definition) throw new Error(`Node '${name.nodeId}' is not in the blueprint of run '${run.runId}'.`);
    // of a node that was added to the run only this tells what it uses; the claim runs out
    const lacks = isLastTry ? undefined : this.abilities.lacks(run, definition);
    if (lacks !== undefined) throw new NotHere(lacks);
    const result = await this.executor.execute(
      run,
      name,
      grant,
      definition,
      cause,
      before && isRetry(before) ? before : undefined,
    );
    if (!result) return { inTime: () => false };
    const { write, hasRead, inTime } = result;
    // what continues here has had no other claimant; of one that came by a message, a Redis that has lost its latest
    // writes may not know
    if (grant.claims > 1 || (!cause && hasRead)) {
      // an earlier claimant that was only slow may have written while the node ran, and the node may have read that
      const row = outcomeIn(run, await this.look(run, name));
      if (row && row.token >= grant.token) return { floor: row.token, inTime };
      const late = row && row.token !== before?.token ? await this.executor.adopt(run, row, grant.token) : undefined;
      if (late) return { write: late, inTime };
    }
    return { write, inTime, isFirst: !before };
  }

  private look(run: ActiveRun, { nodeId, turn }: TurnName): Promise<TurnRecord | undefined> {
    const { runId } = run;
    return this.persistence.until(() => this.store.turn(runId, nodeId, turn), { runId, nodeId, turn });
  }
}

/** The row, unless a retry of the run has discarded it, or it is the late one of somebody who missed the retry. */
function outcomeIn({ record }: ActiveRun, row: TurnRecord | undefined): TurnRecord | undefined {
  return row && row.status !== 'reset' && row.token >= (record.retry?.stamp ?? 0) ? row : undefined;
}
