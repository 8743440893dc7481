import { usesOf } from '../core/batch.js';
import type { TurnRecord } from '../core/run.js';
import type { Origin } from '../core/settlement.js';
import type { Abilities } from './abilities.js';
import type { ActiveRun } from './active-run.js';
import type { ClaimedAhead } from './claimed-ahead.js';
import type { Permits } from './permits.js';

/** Room for turns that a settle may fire: so many are claimed in the same call. */
export interface Reservation {
  /** The settling turn's own, which is passed on, and others. */
  readonly permits: number;
  /** Places of turns that wait for a permit. */
  readonly places: number;
}

export const NO_ROOM: Reservation = { permits: 0, places: 0 };

/** Decides what goes on here, before it is known how much of it fires. */
export class Reservations {
  constructor(
    private readonly permits: Permits,
    private readonly ahead: ClaimedAhead,
    private readonly abilities: Abilities,
    private readonly stopping: AbortSignal,
  ) {}

  /** The turn itself holds a permit. */
  reserve(run: ActiveRun, record: TurnRecord, origin: Origin | undefined): Reservation {
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
    if (following.length === 0 || this.stopping.aborted) return NO_ROOM;
    const isHere = (node: (typeof following)[number]) =>
      node !== undefined && this.abilities.lacks(run, node) === undefined;
    if (![...following, ...others].every(isHere)) return NO_ROOM;
    const most = following.length + Math.min(record.batch?.items ?? 0, record.batch?.window ?? 0);
    let reserved = 1;
    while (reserved < most && permits.tryAcquire()) reserved++;
    // messages of added nodes spread over the fleet, those of others come back to the worker that has the run
    const isShared = record.batch !== undefined || record.dynamicNodes !== undefined || origin?.batch !== undefined;
    return { permits: reserved, places: isShared ? 0 : ahead.reserve(most - reserved) };
  }

  /** Nothing fired. The turn's own permit is left to the turn. */
  cancel({ permits, places }: Reservation): void {
    for (let extra = permits - 1; extra > 0; extra--) this.permits.release();
    this.ahead.spare(places);
  }
}
