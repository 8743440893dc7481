import type { Clock } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';
import type { ActiveRun } from './active-run.js';
import { Anchor } from './anchor.js';
import { Recent } from './recent.js';
import type { ReadyTurn } from './turn-jobs.js';

const DONE_KEPT = 50_000;
/**
 * So long a message about a turn that is done here is dropped unseen: its own comes around within that. A later one may
 * be the question of somebody who found that the ledger has lost what was settled.
 */
const DONE_KEPT_MS = 15_000;
/** A message that is owed goes out this much later at most. */
const LOOKS_PER_DELAY = 4;

/** A turn on its way here. The anchor changes when a message of its own is on its way. */
export interface Flight {
  anchor: Anchor;
}

/** A turn that goes on here without a message. */
export interface UnsentTurn extends Flight {
  readonly run: ActiveRun;
  readonly ready: ReadyTurn;
}

interface UnderWay {
  readonly flight: Flight;
  readonly end: Promise<void>;
}

export interface UnderWayParts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** A turn that goes on here gets a message after so long. */
  readonly emitDelayMs: number;
  /** Sends the message of a turn, which goes on here or does not; resolves when it is durable. */
  readonly publish: (turn: UnsentTurn, goesOn: boolean) => Promise<void>;
  /** Notes that the turn has a message. Nothing depends on it but how many messages are sent in vain later. */
  readonly sent: (turn: UnsentTurn) => Promise<void>;
}

/**
 * The turns that are on their way in this process, and what becomes of messages about them. Most turns go on here as soon
 * as they are fired, and are done within a moment: they get no message, the one that led to them stands for them as long.
 */
export class TurnsUnderWay {
  private readonly turns = new Map<string, UnderWay>();
  private readonly done = new Recent<Anchor>(DONE_KEPT);
  /** Anchors that may have turns without a message. */
  private readonly watched = new Set<Anchor>();
  /** Messages of such turns, being sent, and what else their anchors wait for. */
  private readonly sending = new Set<Promise<void>>();
  private cancelLook: (() => void) | undefined;

  constructor(private readonly parts: UnderWayParts) {}

  get size(): number {
    return this.turns.size;
  }

  has(key: string): boolean {
    return this.turns.has(key);
  }

  /** Whether a message about the turn has nothing left to cause. */
  isDone(key: string): boolean {
    const overAt = this.done.get(key)?.overAt;
    return overAt !== undefined && this.now() - overAt < DONE_KEPT_MS;
  }

  /** Resolves when the turn is not on its way any more, whatever became of it. */
  async ended(key: string): Promise<void> {
    await this.turns.get(key)?.end.catch(() => undefined);
  }

  /**
   * For a message about a turn that is on its way here, or was lately: when it is done. Undefined: it is neither.
   * @param isOpen that it was does not count
   */
  adopt(key: string, isOpen = false): Promise<void> | undefined {
    const found = this.turns.get(key);
    if (found) return found.end.then(() => found.flight.anchor.over);
    if (isOpen) return undefined;
    const anchor = this.done.get(key);
    if (!anchor || anchor.hasFailed) return undefined;
    return anchor.overAt === undefined || this.isDone(key) ? anchor.over : undefined;
  }

  /** Drives a turn because of its message; resolves when that is done. `drive` answers whether the turn is. */
  async begin(key: string, drive: (flight: Flight) => Promise<boolean>): Promise<void> {
    const flight = { anchor: new Anchor() };
    await this.track(key, flight, drive);
    await flight.anchor.over;
  }

  /** Drives a turn that has no message: the anchor of the turn that fired it stands for it. */
  goOn(key: string, turn: UnsentTurn, drive: (flight: Flight) => Promise<boolean>): void {
    const { anchor } = turn;
    const { clock, emitDelayMs } = this.parts;
    this.track(key, turn, drive).catch((error: unknown) => {
      const fields = { runId: turn.run.runId, nodeId: turn.ready.node, turn: turn.ready.turn, error };
      this.parts.logger.debug('A turn that went on here stopped before it was done.', fields);
    });
    if (emitDelayMs === 0) return this.sendOwn(key, turn);
    anchor.add(key, turn, this.now());
    this.watched.add(anchor);
    this.cancelLook ??= clock.after(emitDelayMs / LOOKS_PER_DELAY, this.look);
  }

  /** What has to be done, too, before the message that the turn hangs on is done. */
  also({ anchor }: Flight, work: Promise<void>): void {
    anchor.hold();
    const doing = work
      .then(
        () => anchor.release(this.now()),
        (error: unknown) => anchor.fail(error),
      )
      .finally(() => this.sending.delete(doing));
    this.sending.add(doing);
  }

  /** Waits until nothing is on its way any more, and no message of it. */
  async idle(): Promise<void> {
    while (this.turns.size + this.sending.size > 0)
      await Promise.allSettled([...[...this.turns.values()].map(({ end }) => end), ...this.sending]);
    this.cancelLook?.();
    this.cancelLook = undefined;
    this.watched.clear();
  }

  private now(): number {
    return this.parts.clock.now();
  }

  private track(key: string, flight: Flight, drive: (flight: Flight) => Promise<boolean>): Promise<void> {
    flight.anchor.hold();
    const end = drive(flight).then(
      (done) => {
        const { anchor } = flight;
        this.turns.delete(key);
        if (done) this.done.note(key, anchor);
        anchor.remove(key);
        anchor.release(this.now());
      },
      (error: unknown) => {
        const { anchor } = flight;
        this.turns.delete(key);
        const unsent = anchor.turns.get(key);
        // its message brings it back
        if (unsent) this.send(key, unsent, anchor, false);
        else anchor.release(this.now());
        throw error;
      },
    );
    this.turns.set(key, { flight, end });
    return end;
  }

  /** Sends the messages that are owed by now. */
  private readonly look = (): void => {
    this.cancelLook = undefined;
    const { clock, emitDelayMs } = this.parts;
    const now = this.now();
    for (const anchor of this.watched) {
      if (anchor.turns.size === 0) this.watched.delete(anchor);
      else if (now - anchor.since >= emitDelayMs) {
        this.watched.delete(anchor);
        for (const [key, turn] of anchor.turns) this.sendOwn(key, turn);
      }
    }
    if (this.watched.size > 0) this.cancelLook = clock.after(emitDelayMs / LOOKS_PER_DELAY, this.look);
  };

  /** What the turn fires from now on hangs on its own message. */
  private sendOwn(key: string, turn: UnsentTurn): void {
    const { anchor } = turn;
    turn.anchor = new Anchor();
    turn.anchor.hold();
    this.send(key, turn, anchor, true);
  }

  /** The anchor stands for the turn until the message is durable. */
  private send(key: string, turn: UnsentTurn, anchor: Anchor, goesOn: boolean): void {
    anchor.remove(key);
    const sending = this.parts
      .publish(turn, goesOn)
      .then(
        () => {
          anchor.release(this.now());
          return this.parts.sent(turn);
        },
        (error: unknown) => anchor.fail(error),
      )
      .catch((error: unknown) => this.parts.logger.debug('A turn could not be noted as sent.', { error }))
      .finally(() => this.sending.delete(sending));
    this.sending.add(sending);
  }
}
