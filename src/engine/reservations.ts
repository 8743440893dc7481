import { usesOf } from '../core/batch.js';
import type { TurnRecord } from '../core/run.js';
import type { Origin } from '../core/settlement.js';
import type { Clock } from '../ports/clock.js';
import type { Abilities } from './abilities.js';
import type { ActiveRun } from './active-run.js';
import type { ClaimedAhead } from './claimed-ahead.js';
import type { HeldPermit, Permits } from './permits.js';

/** Room for turns that a settle may fire: so many are claimed in the same call. */
export class Reservation {
  private readonly hadPermits: boolean;

  /**
   * @param permits the settling turn's own, which is passed on, and others; 0: its own goes to who waits for one
   * @param places of turns that wait for a permit
   */
  constructor(
    private readonly free: Permits,
    private readonly ahead: ClaimedAhead,
    private permits = 0,
    private places = 0,
  ) {
    this.hadPermits = permits > 0;
  }

  get size(): number {
    return this.permits + this.places;
  }

  /** Room for one turn. True: with a permit, false: in the line for one. */
  take(): boolean {
    if (this.permits > 0) {
      this.permits--;
      return true;
    }
    this.places--;
    return false;
  }

  /** What nobody has taken is free again, and so is the settling turn's own permit, unless it was passed on. */
  close(own: HeldPermit): void {
    if (this.hadPermits) own.passOn(this.permits);
    else own.release();
    this.ahead.spare(this.places);
  }

  /** What nobody has taken is free again, where no permit of it is a turn's own. */
  spare(): void {
    for (; this.permits > 0; this.permits--) this.free.release();
    this.ahead.spare(this.places);
  }

  /** Nothing fired: all is free again but the settling turn's own permit. */
  cancel(): void {
    for (let extra = this.permits - 1; extra > 0; extra--) this.free.release();
    this.ahead.spare(this.places);
  }
}

/** Decides what goes on here, before it is known how much of it fires. */
export class Reservations {
  constructor(
    private readonly permits: Permits,
    private readonly ahead: ClaimedAhead,
    private readonly abilities: Abilities,
    private readonly stopping: AbortSignal,
    private readonly clock: Clock,
    /** Turns that have passed a permit on for so long let those go first that wait for one. */
    private readonly mostHeldMs: number,
  ) {}

  /** Room for nodes of the blueprint that begin beside a turn which keeps its permit. */
  beside(run: ActiveRun, nodeIds: readonly string[]): Reservation {
    const { permits, ahead } = this;
    const isHere = (id: string) => {
      const definition = run.plan.nodes.get(id)?.definition;
      return definition !== undefined && this.abilities.lacks(run, definition) === undefined;
    };
    if (nodeIds.length === 0 || this.stopping.aborted || !nodeIds.every(isHere)) return new Reservation(permits, ahead);
    let reserved = 0;
    while (reserved < nodeIds.length && permits.tryAcquire()) reserved++;
    return new Reservation(permits, ahead, reserved, ahead.reserve(nodeIds.length - reserved));
  }

  /** @param permit the turn's own */
  reserve(run: ActiveRun, record: TurnRecord, origin: Origin | undefined, permit: HeldPermit): Reservation {
    const { plan } = run;
    const { permits, ahead } = this;
    const definitionOf = (id: string) => plan.nodes.get(id)?.definition;
    const leads = plan.nodes.get(record.nodeId)?.leads.map(({ join }) => join) ?? [];
    const following = [
      ...record.taken.map(definitionOf),
      ...(record.dynamicNodes ?? []),
      ...(record.batch ? [{ uses: record.batch.uses }] : []),
      // the next item stays here only if nobody waits: a large batch must leave room for other runs
      ...(origin?.batch === undefined || permits.isWanted ? [] : [{ uses: usesOf(origin.batch) }]),
    ];
    const others = [...leads, ...(origin?.gather === undefined ? [] : [origin.gather])].map(definitionOf);
    if (following.length === 0 || this.stopping.aborted) return new Reservation(permits, ahead);
    const isHere = (node: (typeof following)[number]) =>
      node !== undefined && this.abilities.lacks(run, node) === undefined;
    if (![...following, ...others].every(isHere)) return new Reservation(permits, ahead);
    const most = following.length + Math.min(record.batch?.items ?? 0, record.batch?.window ?? 0);
    const givesWay = permits.isWanted && this.clock.now() - permit.since >= this.mostHeldMs;
    let reserved = givesWay ? 0 : 1;
    while (reserved < most && permits.tryAcquire()) reserved++;
    // messages of added nodes spread over the fleet, those of others come back to the worker that has the run
    const isShared = record.batch !== undefined || record.dynamicNodes !== undefined || origin?.batch !== undefined;
    return new Reservation(permits, ahead, reserved, isShared ? 0 : ahead.reserve(most - reserved));
  }
}
