import { LRUCache } from 'lru-cache';
import { TooManyTurnsError } from '../core/errors.js';
import { turnKey } from '../core/identifiers.js';
import type { FiredTurn, SettleAnswer } from '../core/ledger-state.js';
import type { TurnName, TurnRecord } from '../core/run.js';
import { settlementOf, type Origin } from '../core/settlement.js';
import type { Clock } from '../ports/clock.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';
import type { RunStore, TurnWrite } from '../ports/run-store.js';
import type { ActiveRun } from './active-run.js';
import type { Activity } from './activity.js';
import type { EngineOptions } from './engine-options.js';
import type { Finisher } from './finisher.js';
import type { Persistence } from './persistence.js';
import type { Permits } from './permits.js';
import type { Rebuilder } from './rebuilder.js';
import type { Claimed, Grant, TurnClaimer } from './turn-claimer.js';
import type { TurnExecutor } from './turn-executor.js';

const DONE_KEPT = 50_000;
/**
 * So long a message about a turn that is done here is dropped unseen: its own comes around within that. A later one may
 * be the question of somebody who found that the ledger has lost what was settled.
 */
const DONE_KEPT_MS = 15_000;

export interface ProcessorParts {
  readonly queue: JobQueue;
  readonly ledger: Ledger;
  readonly store: RunStore;
  readonly claimer: TurnClaimer;
  readonly executor: TurnExecutor;
  readonly rebuilder: Rebuilder;
  readonly finisher: Finisher;
  readonly activity: Activity;
  readonly persistence: Persistence;
  readonly permits: Permits;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly worker: string;
  readonly options: EngineOptions;
  /** Looks whether what a turn waits for has come already. */
  readonly beganToWait: (run: ActiveRun, name: TurnName) => Promise<void>;
  /** Whether this worker has the implementation. */
  readonly canExecute: (uses: string) => boolean;
  /** Aborted once no further node may start here. */
  readonly stopping: AbortSignal;
}

/**
 * One hop of a run: claim, execute, write, settle, emit. A turn is done here when all that it fired has its message
 * acknowledged; only then may the offset of its own message be committed.
 */
export class TurnProcessor {
  private readonly inFlight = new Map<string, Promise<void>>();
  /** Turns that are done: a message about one of them has nothing left to cause. */
  private readonly done = new LRUCache<string, number>({ max: DONE_KEPT });

  constructor(private readonly parts: ProcessorParts) {}

  /** How many turns are on their way here. */
  get size(): number {
    return this.inFlight.size;
  }

  /** Processes a turn because of a message. A turn that is in flight here adopts the message. */
  async process(run: ActiveRun, name: TurnName): Promise<void> {
    const key = turnKey(run.runId, name.nodeId, name.turn);
    const doneAt = this.done.get(key);
    if (doneAt !== undefined && this.parts.clock.now() - doneAt < DONE_KEPT_MS) return;
    await (this.inFlight.get(key) ??
      this.track(key, async () => {
        await this.parts.permits.acquire();
        await this.drive(run, name, undefined);
      }));
  }

  /** Waits until nothing is on its way any more. */
  async idle(): Promise<void> {
    while (this.inFlight.size > 0) await Promise.allSettled(this.inFlight.values());
  }

  private track(key: string, work: () => Promise<void>): Promise<void> {
    const promise = work().then(
      () => {
        this.inFlight.delete(key);
        this.done.set(key, this.parts.clock.now());
      },
      (error: unknown) => {
        this.inFlight.delete(key);
        throw error;
      },
    );
    this.inFlight.set(key, promise);
    return promise;
  }

  /** Drives one turn to its end with a permit that is already held. `continued`: the claim came with the settle that fired it. */
  private async drive(run: ActiveRun, name: TurnName, continued: Continued | undefined): Promise<void> {
    const permit = new HeldPermit(this.parts.permits);
    try {
      await this.hop(run, name, permit, continued);
    } finally {
      permit.release();
    }
  }

  private async hop(
    run: ActiveRun,
    name: TurnName,
    permit: HeldPermit,
    continued: Continued | undefined,
  ): Promise<void> {
    const { claimer, rebuilder, persistence, store } = this.parts;
    let claimed: Claimed | undefined = continued && { kind: 'granted', grant: continued.grant, row: undefined };
    let written: TurnWrite | undefined;
    for (let floor = 0; ; claimed = undefined) {
      claimed ??= await claimer.claim(run, name, written ? 'again' : 'job', floor);
      let answer: SettleAnswer;
      let reserved = 0;
      let fresh: TurnWrite | undefined;
      if (claimed.kind === 'dropped') return;
      if (claimed.kind === 'awaiting') return this.review(run, name);
      if (claimed.kind === 'settled') {
        // repeating the settle names what this turn fired and is still open: its messages may be owed
        answer = await this.settle(run, claimed.row, claimed.token, claimed.origin, 0);
      } else {
        const isFirst = continued !== undefined && claimed.grant === continued.grant;
        const {
          write,
          floor: stamp,
          executed,
        } = await this.outcome(run, name, claimed, written, isFirst ? continued : undefined);
        if (stamp !== undefined) floor = stamp;
        if (!write) continue; // lost, cancelled, or to be claimed above a newer row: the next claim tells
        if (executed) fresh = write;
        await persistence.until(() => store.write(write), { runId: run.runId, ...name });
        written = write;
        reserved = this.reserve(run, write.record);
        answer = await this.settle(run, write.record, write.record.token, claimed.grant.origin, reserved);
      }
      if (answer.kind === 'accepted') {
        await this.advance(run, answer, permit, reserved, fresh);
        if (written?.record.awaiting?.childRunId !== undefined) await this.parts.beganToWait(run, name);
        return;
      }
      this.giveBack(reserved);
      if (answer.kind === 'closed') return;
      if (answer.kind === 'missing') await rebuilder.rebuild(run);
    }
  }

  /** What to write for a claimed turn: what is in the journal already, or what its node's code leads to. */
  private async outcome(
    run: ActiveRun,
    name: TurnName,
    { grant, row }: Extract<Claimed, { kind: 'granted' }>,
    written: TurnWrite | undefined,
    continued: Continued | undefined,
  ): Promise<Outcome> {
    const { executor, persistence, store } = this.parts;
    const { token } = grant;
    if (row && row.token >= token) return { floor: row.token };
    if (written && (!row || row.token <= written.record.token))
      return { write: { ...written, record: { ...written.record, token } } };
    const adopted = row && (await executor.adopt(run, row, token));
    if (adopted) return { write: adopted };
    const definition = await executor.definition(run, name.nodeId, grant.origin);
    if (!definition) throw new Error(`Node '${name.nodeId}' is not in the blueprint of run '${run.runId}'.`);
    // What continues here was not looked up in the journal when it was claimed: do it while the node runs.
    const look =
      continued && !continued.cause
        ? persistence.until(() => store.turn(run.runId, name.nodeId, name.turn), { runId: run.runId, ...name })
        : undefined;
    const [write, found] = await Promise.all([executor.execute(run, name, grant, definition, continued?.cause), look]);
    if (!found) return { ...(write ? { write } : {}), executed: !row };
    if (found.token >= token) return { floor: found.token };
    const late = (await executor.adopt(run, found, token)) ?? write;
    return late ? { write: late } : {};
  }

  private async settle(
    run: ActiveRun,
    record: TurnRecord,
    token: number,
    origin: Origin | undefined,
    claim: number,
  ): Promise<SettleAnswer> {
    const { ledger, persistence, worker, options } = this.parts;
    const settlement = settlementOf(run.plan, record, origin);
    try {
      return await persistence.until(
        () =>
          ledger.settle(run.runId, {
            settlement,
            token,
            worker,
            leaseMs: options.worker.leaseMs,
            claim,
            maxTurns: options.limits.maxTurnsPerRun,
          }),
        { runId: run.runId, nodeId: record.nodeId, turn: record.turn },
      );
    } catch (error) {
      this.giveBack(claim);
      throw error;
    }
  }

  /** After an accepted settle: what fired continues here or elsewhere, and gets its message; the run may have ended. */
  private async advance(
    run: ActiveRun,
    answer: Extract<SettleAnswer, { kind: 'accepted' }>,
    permit: HeldPermit,
    reserved: number,
    fresh: TurnWrite | undefined,
  ): Promise<void> {
    const { queue, finisher, activity, executor } = this.parts;
    if (fresh) executor.remember(fresh);
    activity.note(run.runId, answer.token);
    let unused = reserved;
    for (const fired of answer.fired) {
      if (fired.token === undefined) continue;
      unused--;
      this.continueHere(run, fired, fired.token, fresh);
    }
    if (reserved === 0) permit.release();
    else permit.passOn(unused);
    const owed = answer.fired.map((fired) =>
      queue.publish({ runId: run.runId, blueprintId: run.plan.id, nodeId: fired.node, turn: fired.turn }),
    );
    if (answer.tooManyTurnsAt !== undefined) {
      const error = new TooManyTurnsError(run.runId, answer.tooManyTurnsAt, this.parts.options.limits.maxTurnsPerRun);
      await finisher.finish(run, 'failed', error.message, answer.token + 1);
    } else {
      await finisher.review(run, answer);
    }
    await Promise.all(owed);
  }

  /** Its message makes the turn durable and is on its way; nothing here waits for it. */
  private continueHere(run: ActiveRun, fired: FiredTurn, token: number, cause: TurnWrite | undefined): void {
    const name = { nodeId: fired.node, turn: fired.turn };
    const grant: Grant = { token, passes: fired.passes, claims: 1, ...(fired.origin ? { origin: fired.origin } : {}) };
    const key = turnKey(run.runId, name.nodeId, name.turn);
    this.track(key, () => this.drive(run, name, { grant, cause })).catch((error: unknown) => {
      // the message of the turn comes back and finds the claim
      this.parts.logger.debug('A turn that continued here stopped before it was done.', {
        runId: run.runId,
        ...name,
        error,
      });
    });
  }

  /** The message of a node that waits: whoever settled it may not have come to say so. */
  private async review(run: ActiveRun, name: TurnName): Promise<void> {
    const { ledger, finisher, persistence } = this.parts;
    await this.parts.beganToWait(run, name);
    const state = await persistence.until(() => ledger.read(run.runId), { runId: run.runId });
    if (state.fields.size > 0 && state.get('x') === undefined) await finisher.review(run, state.counts());
  }

  /** Permits for targets that continue here, this turn's own not counted: it is passed on. */
  private reserve(run: ActiveRun, record: TurnRecord): number {
    const definitions = [
      ...record.taken.map((id) => run.plan.nodes.get(id)?.definition),
      ...(record.dynamicNodes ?? []),
    ];
    if (definitions.length === 0 || this.parts.stopping.aborted) return 0;
    if (!definitions.every((d) => d && this.parts.canExecute(d.uses))) return 0;
    let reserved = 1;
    while (reserved < definitions.length && this.parts.permits.tryAcquire()) reserved++;
    return reserved;
  }

  private giveBack(reserved: number): void {
    for (let extra = reserved - 1; extra > 0; extra--) this.parts.permits.release();
  }
}

/** A turn that was claimed by the settle that fired it. */
interface Continued {
  readonly grant: Grant;
  /**
   * What the firing turn wrote, if it was executed here and nothing had been in the journal for it. A turn settles only
   * after its row is written, so it had not settled before and nothing that it fires can have a row: no need to look.
   */
  readonly cause: TurnWrite | undefined;
}

interface Outcome {
  readonly write?: TurnWrite;
  /** The journal holds a row of this stamp: the claim must be repeated above it. */
  readonly floor?: number;
  /** The write comes from the node's code alone. */
  readonly executed?: boolean;
}

/** A turn's permit, which it passes on to the first target that continues here. */
class HeldPermit {
  private held = true;

  constructor(private readonly permits: Permits) {}

  release(): void {
    if (this.held) this.permits.release();
    this.held = false;
  }

  /** Gives this permit and those reserved with it to the turns that continue; frees those that nobody took over. */
  passOn(unused: number): void {
    for (let left = unused; left > 0; left--) this.permits.release();
    this.held = false;
  }
}
