import { workerOf } from '../core/identifiers.js';
import type { ClaimAnswer, ClaimRequest } from '../core/ledger-calls.js';
import { NOBODY } from '../core/ledger-fields.js';
import { isRetry, wakeUpTime, type TurnName, type TurnRecord } from '../core/run.js';
import type { Origin } from '../core/settlement.js';
import { delay, type Clock, type Ids } from '../ports/clock.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';
import type { RunStore } from '../ports/run-store.js';
import type { ActiveRun, ActiveRuns } from './active-run.js';
import type { EngineOptions } from './engine-options.js';
import type { Intake } from './intake.js';
import type { Persistence } from './persistence.js';
import type { Permits } from './permits.js';
import type { Rebuilder } from './rebuilder.js';
import { UnknownTurn } from './unknown-turn.js';

/** The right to execute a turn. */
export interface Grant {
  readonly token: number;
  readonly passes: readonly string[];
  readonly claims: number;
  readonly origin?: Origin;
  /** When it was asked for, by this process's clock: its lease runs from then at the earliest. */
  readonly askedAt: number;
  /** The claim is one for the next attempt of a node that paused. */
  readonly pauseIsOver?: boolean;
}

export type Claimed =
  /** `unread`: nobody has looked for a row of the turn yet. */
  | { kind: 'granted'; run: ActiveRun; grant: Grant; row: TurnRecord | undefined | 'unread' }
  | { kind: 'settled'; token: number; row: TurnRecord; origin?: Origin }
  | { kind: 'awaiting' }
  /** The run has ended, or the turn was never due. */
  | { kind: 'dropped' };

/** The worker stops; the message is delivered again, to whoever is there then. */
export class WorkerStopping extends Error {}

const LONGEST_PARK_MS = 2_000;
/** A claim that takes longer was held up in this process: drivers give up by then. */
const LONGEST_CLAIM_MS = 1_000;

/** Until when a turn pauses that runs by itself after that: a retried one, or the first ones of a delayed run. */
function pauseOf(run: ActiveRun, row: TurnRecord | undefined): number | undefined {
  if (!row) return run.record.options?.startAt;
  return isRetry(row) ? wakeUpTime(row) : undefined;
}

/** Gets the claim on a turn, or learns why there is nothing to execute. The caller holds a permit throughout. */
export class TurnClaimer {
  constructor(
    private readonly ledger: Ledger,
    private readonly store: RunStore,
    private readonly runs: ActiveRuns,
    private readonly rebuilder: Rebuilder,
    private readonly persistence: Persistence,
    private readonly permits: Permits,
    private readonly intake: Intake,
    private readonly clock: Clock,
    private readonly ids: Ids,
    private readonly logger: Logger,
    private readonly worker: string,
    private readonly options: EngineOptions,
    private readonly stopping: AbortSignal,
  ) {}

  /** `pausedUntil`: the pause of a retried node that is over. `sent`: the caller has a message of the turn. */
  async claim(
    run: ActiveRun,
    name: TurnName,
    mode: 'job' | 'again',
    { floor = 0, pausedUntil, sent = false }: { floor?: number; pausedUntil?: number | undefined; sent?: boolean } = {},
  ): Promise<Claimed> {
    const { runId } = run;
    let takeover: number | undefined;
    const unknown = new UnknownTurn(this.rebuilder, run, name);
    let pauseIsOver = false;
    for (;;) {
      if (this.stopping.aborted && mode === 'job') throw new WorkerStopping('The worker is stopping.');
      const request: ClaimRequest = {
        node: name.nodeId,
        turn: name.turn,
        worker: this.worker,
        leaseMs: this.options.worker.leaseMs,
        floor,
        mode: pauseIsOver ? 'resume' : mode,
        sent,
        ...(takeover === undefined ? {} : { takeover }),
      };
      const { answer, row, askedAt } = await this.ask(runId, name, request);
      switch (answer.kind) {
        case 'granted':
          return this.granted(run, { ...answer, pauseIsOver }, row, askedAt);
        case 'settled':
          return this.settled(run, name, answer, row);
        case 'awaiting':
          if (pauseIsOver || pausedUntil === undefined || pauseOf(run, row) !== pausedUntil)
            return { kind: 'awaiting' };
          pauseIsOver = true;
          break;
        case 'closed':
          return { kind: 'dropped' };
        case 'missing':
          await this.rebuilder.rebuild(run);
          break;
        case 'unknown':
          if (!(await unknown.isNotDue(answer.incarnation))) break;
          this.logger.debug('Dropped a job whose turn is not due.', { runId, ...name });
          return { kind: 'dropped' };
        case 'busy':
          takeover = await this.park(runId, name, answer);
      }
    }
  }

  /** The run as the ledger knows it: it may have been opened again since this worker read it. */
  private async granted(
    run: ActiveRun,
    { retries = 0, ...grant }: Extract<ClaimAnswer, { kind: 'granted' }> & { readonly pauseIsOver: boolean },
    row: TurnRecord | undefined,
    askedAt: number,
  ): Promise<Claimed> {
    const { runId } = run;
    const current = await this.persistence.until(() => this.runs.ofAttempt(run, retries), { runId });
    return { kind: 'granted', run: current, grant: { ...grant, askedAt }, row };
  }

  /**
   * Reads the turn's own row beside the claim. A claim that had to be repeated, or that this process was too slow to send,
   * may have been granted long after the row was read, so it is read again then.
   */
  private async ask(
    runId: string,
    name: TurnName,
    request: ClaimRequest,
  ): Promise<{ answer: ClaimAnswer; row: TurnRecord | undefined; askedAt: number }> {
    const fields = { runId, ...name };
    const read = () => this.persistence.until(() => this.store.turn(runId, name.nodeId, name.turn), fields);
    let tries = 0;
    let askedAt = 0;
    const claim = () => {
      tries++;
      askedAt = this.clock.now();
      return this.ledger.claim(runId, request);
    };
    const [answer, row] = await Promise.all([this.persistence.until(claim, fields), read()]);
    const isRecent = tries === 1 && this.clock.now() - askedAt < LONGEST_CLAIM_MS;
    return { answer, row: isRecent ? row : await read(), askedAt };
  }

  /** The row was read beside the claim, so it may be older than the answer. */
  private async settled(
    run: ActiveRun,
    name: TurnName,
    answer: Extract<ClaimAnswer, { kind: 'settled' }>,
    row: TurnRecord | undefined,
  ): Promise<Claimed> {
    const { runId } = run;
    const current =
      row && row.token === answer.token
        ? row
        : await this.persistence.until(() => this.store.turn(runId, name.nodeId, name.turn), { runId, ...name });
    if (current)
      return {
        kind: 'settled',
        token: answer.token,
        row: current,
        ...(answer.origin ? { origin: answer.origin } : {}),
      };
    this.logger.error('The ledger says that a turn has settled, but the journal does not know it.', { runId, ...name });
    return { kind: 'dropped' };
  }

  /** Waits, without a permit, until the claim may be free. Answers the token of a claim whose worker is dead. */
  private async park(
    runId: string,
    name: TurnName,
    busy: Extract<ClaimAnswer, { kind: 'busy' }>,
  ): Promise<number | undefined> {
    const alive =
      busy.worker === NOBODY ||
      (await this.persistence.until(() => this.ledger.isAlive(workerOf(busy.worker)), { runId }));
    if (!alive) {
      this.logger.warn(`Taking over from worker ${busy.worker}, which is gone.`, { runId, ...name });
      return busy.token;
    }
    this.permits.release();
    try {
      const wait = Math.min(LONGEST_PARK_MS, Math.max(20, busy.retryInMs)) + this.ids.random() * 20;
      await this.intake.park(delay(this.clock, wait, this.stopping));
    } finally {
      await this.permits.acquire();
    }
    return undefined;
  }
}
