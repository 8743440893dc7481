import { turnKey } from '../core/identifiers.js';
import type { FiredTurn, SettleAnswer } from '../core/ledger-calls.js';
import { hasOnlyCause } from '../core/only-cause.js';
import type { TurnName, TurnRecord } from '../core/run.js';
import type { Clock } from '../ports/clock.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';
import type { RunStore, TurnWrite } from '../ports/run-store.js';
import { retriesOf, type ActiveRun } from './active-run.js';
import type { Activity } from './activity.js';
import { GivenBack, type ClaimedAhead } from './claimed-ahead.js';
import { emitDelayOf, type EngineOptions } from './engine-options.js';
import type { Finisher } from './finisher.js';
import type { Opener } from './opener.js';
import type { Persistence } from './persistence.js';
import { HeldPermit, type Permits } from './permits.js';
import type { Rebuilder } from './rebuilder.js';
import type { Reservation, Reservations } from './reservations.js';
import type { Claimed, Grant, TurnClaimer } from './turn-claimer.js';
import type { SettledHere } from './settled-here.js';
import type { TurnExecutor } from './turn-executor.js';
import { publishTurns } from './turn-jobs.js';
import type { TurnOutcomes } from './turn-outcome.js';
import type { TurnSettler } from './turn-settler.js';
import type { TurnWriter } from './turn-writer.js';
import { TurnsUnderWay, type Flight } from './turns-under-way.js';
import type { UnsentTurns } from './unsent-turns.js';

export interface ProcessorParts {
  readonly queue: JobQueue;
  readonly store: RunStore;
  readonly ledger: Ledger;
  readonly claimer: TurnClaimer;
  readonly executor: TurnExecutor;
  readonly outcomes: TurnOutcomes;
  readonly writer: TurnWriter;
  readonly settler: TurnSettler;
  readonly rebuilder: Rebuilder;
  readonly finisher: Finisher;
  readonly settled: SettledHere;
  readonly unsent: UnsentTurns;
  readonly activity: Activity;
  readonly persistence: Persistence;
  readonly permits: Permits;
  readonly ahead: ClaimedAhead;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options: EngineOptions;
  /** Looks whether what a turn waits for has come already. */
  readonly beganToWait: (run: ActiveRun, name: TurnName) => Promise<void>;
  readonly reservations: Reservations;
  readonly opener: Opener;
}

/**
 * One hop of a run: claim, execute, write, settle, emit. A message is done here when each turn that it led to is settled,
 * with nothing more to come of it, or has a message that is acknowledged; only then may its offset be committed.
 */
export class TurnProcessor {
  private readonly underWay: TurnsUnderWay;

  constructor(private readonly parts: ProcessorParts) {
    const { clock, logger, queue, ledger, persistence, options } = parts;
    this.underWay = new TurnsUnderWay({
      clock,
      logger,
      emitDelayMs: emitDelayOf(options),
      publish: ({ run, ready }, goesOn) => publishTurns(queue, run, [ready], { areHere: goesOn }),
      sent: ({ run: { runId }, ready }) => persistence.until(() => ledger.sent(runId, [ready]), { runId }),
    });
  }

  /** How many turns are on their way here. */
  get size(): number {
    return this.underWay.size;
  }

  /** Processes a turn because of a message. A turn that is in flight here adopts the message. */
  async process(run: ActiveRun, name: TurnName, reason: MessageReason = {}): Promise<void> {
    const key = keyOf(run, name);
    const isSpecial = reason.pausedUntil !== undefined || reason.isLastTry === true;
    // what is in flight does not know that the pause is over, or the time
    while (isSpecial && this.underWay.has(key)) await this.underWay.ended(key);
    while (true) {
      const adopted = this.underWay.adopt(key, reason.isOpen);
      if (!adopted) break;
      try {
        return await adopted;
      } catch (error) {
        // it waited here in vain: now it waits because of this message
        if (!(error instanceof GivenBack)) throw error;
      }
    }
    await this.underWay.begin(key, async (flight) => {
      await this.parts.permits.acquire();
      return this.drive(run, name, flight, reason);
    });
  }

  /** Whether a message about the turn has nothing left to cause. */
  isDone(key: string): boolean {
    return this.underWay.isDone(key);
  }

  /** Waits until nothing is on its way any more. */
  async idle(): Promise<void> {
    await this.underWay.idle();
  }

  /** Drives one turn to its end with a permit that is already held. */
  private async drive(run: ActiveRun, name: TurnName, flight: Flight, reason: Reason): Promise<boolean> {
    const permit = new HeldPermit(this.parts.permits, reason.permitSince ?? this.parts.clock.now());
    try {
      return await this.hop(run, name, permit, flight, reason);
    } finally {
      permit.release();
    }
  }

  /** @returns whether the turn is done; false if it waits */
  private async hop(
    run: ActiveRun,
    name: TurnName,
    permit: HeldPermit,
    flight: Flight,
    { hasMessage = true, continued, pausedUntil, isLastTry = false }: Reason,
  ): Promise<boolean> {
    const { claimer, outcomes, settler, rebuilder, clock } = this.parts;
    let claimed: Claimed | undefined = continued && {
      kind: 'granted',
      run,
      grant: continued.grant,
      row: 'unread',
    };
    let pending: TurnWrite | undefined;
    let floor = 0;
    for (let tries = 1; ; tries++, claimed = undefined) {
      claimed ??= await claimer.claim(run, name, pending ? 'again' : 'job', { floor, pausedUntil, sent: hasMessage });
      if (claimed.kind === 'dropped') return true;
      if (claimed.kind === 'awaiting') return this.review(run, name);
      let answer: SettleAnswer;
      let record: TurnRecord;
      let fresh: TurnWrite | undefined;
      let reserved: Reservation | undefined;
      let askedAt = 0;
      if (claimed.kind === 'settled') {
        // repeating the settle names what this turn fired and is still open: its messages may be owed
        record = claimed.row;
        answer = await settler.settle(run, record, claimed);
      } else {
        const { grant } = claimed;
        // the run was opened again since: this is a turn of its own, which its message may be about already
        if (retriesOf(claimed.run.record) !== retriesOf(run.record)) {
          permit.release();
          await this.process(claimed.run, name, { pausedUntil, isLastTry, hasMessage });
          return true;
        }
        if (hasMessage && tries === 1) this.openRun(run, name, grant.claims, flight);
        const cause = continued?.grant === grant ? continued.cause : undefined;
        // what fires from a first execution cannot have a row
        const row = cause ? undefined : claimed.row;
        const outcome = await outcomes.of(run, name, {
          grant,
          row,
          ...(cause ? { cause } : {}),
          ...(pending ? { pending } : {}),
          isLastTry,
        });
        if (outcome.floor !== undefined) floor = outcome.floor;
        const { write, inTime } = outcome;
        if (!write) continue; // lost, cancelled, or to be claimed above a newer row: the next claim tells
        const written = await this.parts.writer.write(run, write, inTime, grant.origin);
        pending = written ?? write;
        if (!written) continue;
        const above = this.isLate(grant) ? await this.above(run, written) : undefined;
        if (above !== undefined) {
          floor = above;
          continue;
        }
        if (outcome.isFirst) fresh = written;
        ({ record } = written);
        reserved = this.parts.reservations.reserve(run, record, grant.origin, permit);
        askedAt = clock.now();
        answer = await this.settle(run, record, grant, reserved);
      }
      if (answer.kind === 'accepted') {
        this.parts.settled.note(run, record);
        await this.advance(run, answer, permit, flight, { reserved, askedAt, fresh });
        // what followed it somewhere hung on the message that led here, and so may what an older state of the ledger has open
        const isAgain = claimed.kind === 'settled' || (hasMessage && tries > 1);
        if (isAgain && answer.unsent > 0) await this.parts.unsent.send(run);
        if (record.status !== 'awaiting') return true;
        await this.parts.beganToWait(run, name);
        return false;
      }
      reserved?.cancel();
      if (answer.kind === 'closed') return true;
      if (answer.kind === 'missing') await rebuilder.rebuild(run);
    }
  }

  /** What the run begins with beside this turn: beside it, since a claim that is not renewed must not wait for Kafka. */
  private openRun(run: ActiveRun, name: TurnName, claims: number, flight: Flight): void {
    const opening = this.parts.opener.open(run, name, claims, {
      isUnderWay: (other) => this.underWay.has(keyOf(run, other)),
      goOn: (fired, claim) => this.continueHere(run, fired, flight, claim, undefined),
    });
    this.underWay.also(flight, opening);
  }

  /** Another worker can have had the claim by now. */
  private isLate({ askedAt }: Grant): boolean {
    return this.parts.clock.now() - askedAt >= this.parts.options.worker.livenessMs;
  }

  /**
   * The token of a row that lies above the one that was just written: another had the claim, which this worker holds again
   * because Redis went back to an older state, and that other's outcome has been accepted.
   */
  private async above(run: ActiveRun, { record }: TurnWrite): Promise<number | undefined> {
    const { persistence, store } = this.parts;
    const { runId } = run;
    const { nodeId, turn, token } = record;
    const row = await persistence.until(() => store.turn(runId, nodeId, turn), { runId, nodeId, turn });
    return row && row.token > token ? row.token : undefined;
  }

  private settle(run: ActiveRun, record: TurnRecord, grant: Grant, reserved: Reservation): Promise<SettleAnswer> {
    const { token, origin } = grant;
    return this.parts.settler.settle(run, record, { token, origin, claim: reserved.size }).catch((error: unknown) => {
      reserved.cancel();
      throw error;
    });
  }

  /** After an accepted settle: what fired continues here, or elsewhere by its message; the run may have ended. */
  private async advance(
    run: ActiveRun,
    answer: Extract<SettleAnswer, { kind: 'accepted' }>,
    permit: HeldPermit,
    flight: Flight,
    { reserved, askedAt, fresh }: { reserved: Reservation | undefined; askedAt: number; fresh: TurnWrite | undefined },
  ): Promise<void> {
    const { queue, finisher, activity, executor, ahead } = this.parts;
    if (fresh) executor.remember(run, fresh);
    activity.note(run.runId, answer.token);
    ahead.sawOpen(run);
    for (const fired of answer.fired) {
      if (fired.token === undefined || !reserved) continue;
      const isAhead = !reserved.take();
      const permitSince = isAhead ? undefined : permit.since;
      this.continueHere(run, fired, flight, { token: fired.token, askedAt, permitSince }, fresh);
    }
    if (reserved) reserved.close(permit);
    else permit.release();
    const elsewhere = answer.fired.filter(({ token }) => token === undefined);
    if (elsewhere.length === 0) await finisher.review(run, answer);
    else await Promise.all([publishTurns(queue, run, elsewhere), finisher.review(run, answer)]);
  }

  /** Nothing here waits for it: its message is on its way, or what led here stands for it. */
  private continueHere(
    run: ActiveRun,
    fired: FiredTurn,
    { anchor }: Flight,
    { token, askedAt, permitSince }: { token: number; askedAt: number; permitSince: number | undefined },
    cause: TurnWrite | undefined,
  ): void {
    const name = { nodeId: fired.node, turn: fired.turn };
    const { passes, origin } = fired;
    const grant: Grant = { token, passes, claims: 1, askedAt, ...(origin ? { origin } : {}) };
    const certain = { grant, cause: hasOnlyCause(run.plan, fired.node) ? cause : undefined };
    const drive = (flight: Flight, isCertain: boolean) =>
      this.drive(run, name, flight, { hasMessage: false, permitSince, ...(isCertain ? { continued: certain } : {}) });
    this.underWay.goOn(keyOf(run, name), { anchor, run, ready: fired }, (flight) =>
      permitSince === undefined
        ? this.parts.ahead.permit(run, fired, token).then((isCertain) => drive(flight, isCertain))
        : drive(flight, true),
    );
  }

  /** The message of a node that waits: whoever settled it may not have come to say so. */
  private async review(run: ActiveRun, name: TurnName): Promise<false> {
    const { ledger, finisher, rebuilder, persistence, unsent } = this.parts;
    await this.parts.beganToWait(run, name);
    const state = await persistence.until(() => ledger.read(run.runId), { runId: run.runId });
    if (state.fields.size === 0) {
      await rebuilder.rebuild(run);
      return false;
    }
    if (state.get('x') !== undefined) return false;
    const counts = state.counts();
    await finisher.review(run, counts);
    if (counts.unsent > 0) await unsent.send(run);
    return false;
  }
}

/** Why a turn is looked at: it continues here, or a message asks for it. */
interface Reason extends MessageReason {
  readonly continued?: Continued;
  /** Absent: the permit comes from the line, now. */
  readonly permitSince?: number | undefined;
}

/** What a message says beyond the name of the turn. */
export interface MessageReason {
  /** The pause of a retried node that is over. */
  readonly pausedUntil?: number | undefined;
  /** Nobody has had what the node needs for long enough: it fails for that. */
  readonly isLastTry?: boolean;
  /** What is remembered of the turn does not count. */
  readonly isOpen?: boolean | undefined;
  /** False: none may have been sent yet. Default: there is one. */
  readonly hasMessage?: boolean;
}

function keyOf({ runId, record }: ActiveRun, name: TurnName): string {
  return attemptKey(runId, name, record.retries);
}

/** What a turn is known by here: the attempts of a run that was opened again are told apart. */
export function attemptKey(runId: string, { nodeId, turn }: TurnName, retries: number | undefined): string {
  const key = turnKey(runId, nodeId, turn);
  return retries ? `${key}\u001f${retries}` : key;
}

/** A turn that was claimed by the settle that fired it. */
interface Continued {
  readonly grant: Grant;
  /**
   * What the firing turn wrote, if it was executed here and nothing had been in the journal for it. A turn settles only
   * after its row is written, so it had not settled before and nothing that only it can fire has a row: no need to look.
   */
  readonly cause: TurnWrite | undefined;
}
