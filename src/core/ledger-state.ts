import { Advance } from './advance.js';
import type {
  ClaimAnswer,
  ClaimRef,
  ClaimRequest,
  FiredTurn,
  RunCounts,
  SettleAnswer,
  SettleRequest,
  TurnRef,
  UnsentClaim,
} from './ledger-calls.js';
import { LedgerFields, NOBODY, SEP, type TurnField } from './ledger-fields.js';
import type { Lead } from './leads.js';
import type { Origin } from './settlement.js';
import { turnOfPasses } from './turns.js';

export type * from './ledger-calls.js';

export interface StartTurn {
  readonly node: string;
  readonly passes: readonly string[];
  /** `settled` joins that the turn may lead to. */
  readonly leads?: readonly Lead[];
}

/** What field `e` holds once a node has failed with which the run ends. */
export const ENDED = '2';

/** How soon to ask again for a turn that is queued. */
export const QUEUED_RETRY_MS = 200;

/**
 * The coordination state of one run as a flat map of fields, and the decisions on it. Times are microseconds.
 *
 * This is the in-memory ledger and what a rebuild computes; `drivers/redis/scripts` is the same in Lua over the hash
 * with the same fields, and a property test holds the two against each other. What a settle reads or writes for a target
 * in its first turn stands there three times: in `advance`, in the shorter way of `straight`, and for arrivals at a join in
 * `settle-group`.
 */
export class LedgerState extends LedgerFields {
  /** Makes the turns ready that a run begins with. */
  open(starts: readonly StartTurn[], incarnation: string, token: number, isDelayed = false): void {
    this.set('i', incarnation);
    this.set('t', String(token));
    for (const name of ['o', 'w', 'q', 'j']) this.set(name, '0');
    for (const { node, passes, leads } of starts) {
      const turn = turnOfPasses(passes);
      this.makeReady(node, turn, [...passes], leads);
      const ready = isDelayed ? this.turn(node, turn) : undefined;
      if (!ready) continue;
      this.putTurn(node, turn, { ...ready, state: 'W' });
      this.add('o', -1);
      this.add('w', 1);
    }
  }

  claim(request: ClaimRequest, now: number): ClaimAnswer {
    const { node, turn } = request;
    if (this.fields.size === 0) return { kind: 'missing' };
    const end = this.get('x');
    if (end !== undefined) return { kind: 'closed', status: end };
    const found = this.turn(node, turn);
    if (!found) return { kind: 'unknown', incarnation: this.get('i') ?? '' };
    const origin = this.origin(node, turn);
    if (found.state === 'D') return { kind: 'settled', token: found.token, passes: found.passes, ...origin };
    if (found.state === 'W' && request.mode !== 'resume') return { kind: 'awaiting' };
    if (found.state === 'Q') return { kind: 'busy', worker: NOBODY, token: 0, retryInMs: QUEUED_RETRY_MS };
    // who did not hear its grant asks again under the same name; who was lost with its grant leaves the turn waiting
    const isOpenToResume =
      found.state === 'W' || (found.state === 'C' && (found.worker === request.worker || found.until <= now));
    if (request.mode === 'resume' && !isOpenToResume)
      return { kind: 'busy', worker: found.worker, token: found.token, retryInMs: 0 };
    if (
      found.state === 'C' &&
      found.until > now &&
      found.worker !== request.worker &&
      request.takeover !== found.token
    ) {
      if (!(found.worker === NOBODY && request.mode === 'again')) {
        return {
          kind: 'busy',
          worker: found.worker,
          token: found.token,
          retryInMs: Math.ceil((found.until - now) / 1000),
        };
      }
    }
    if (found.state === 'W') {
      this.add('w', -1);
      this.add('o', 1);
    }
    const isUnsent = found.unsent && !request.sent;
    if (found.unsent && request.sent) this.add('j', -1);
    const token = this.nextToken(now, Math.max(request.floor, found.token));
    const claims = found.claims + 1;
    this.putTurn(node, turn, {
      state: 'C',
      passes: found.passes,
      token,
      worker: request.worker,
      until: now + request.leaseMs * 1000,
      claims,
      round: found.round,
      unsent: isUnsent,
      ...(found.made === undefined ? {} : { made: found.made }),
    });
    const retries = this.get('z');
    return {
      kind: 'granted',
      token,
      passes: found.passes,
      claims,
      ...origin,
      ...(retries === undefined ? {} : { retries: Number(retries) }),
    };
  }

  /**
   * Of these turns, those that are open or wait and have no message, in their order; some of those that are ready are
   * claimed. Undefined: there is no state.
   */
  claimUnsent({ turns, worker, leaseMs, claim }: UnsentClaim, now: number): FiredTurn[] | undefined {
    if (this.fields.size === 0) return undefined;
    if (this.get('x') !== undefined) return [];
    let left = claim;
    return turns.flatMap(({ node, turn }) => {
      const found = this.turn(node, turn);
      if (!found?.unsent) return [];
      const fired = { node, turn, passes: found.passes };
      if (found.state !== 'R' || left === 0) return [fired];
      left--;
      const token = this.nextToken(now, found.token);
      const [until, claims] = [now + leaseMs * 1000, found.claims + 1];
      this.putTurn(node, turn, { ...found, state: 'C', token, worker, until, claims });
      return [{ ...fired, token }];
    });
  }

  /** Extends a claim. False: the claim is another's now, or the turn has settled under another token. */
  renew(
    node: string,
    turn: string,
    worker: string,
    token: number,
    leaseMs: number,
    now: number,
  ): 'held' | 'lost' | 'missing' {
    if (this.fields.size === 0) return 'missing';
    const found = this.turn(node, turn);
    if (this.get('x') !== undefined || !found) return 'lost';
    if (found.state === 'D') return found.token === token ? 'held' : 'lost';
    if (found.state === 'C' && found.worker === NOBODY) {
      this.putTurn(node, turn, { ...found, until: now + leaseMs * 1000 });
      return 'held';
    }
    if (found.state !== 'C' || found.token !== token || found.worker !== worker) return 'lost';
    if (found.until > now) this.putTurn(node, turn, { ...found, until: now + leaseMs * 1000 });
    return 'held';
  }

  settle(request: SettleRequest, now: number): SettleAnswer {
    const { settlement, token } = request;
    if (this.fields.size === 0) return { kind: 'missing' };
    const end = this.get('x');
    if (end !== undefined) return { kind: 'closed', status: end };
    const found = this.turn(settlement.node, settlement.turn);
    const awaits = settlement.outcome === 'awaiting';
    let [ended, first] = [false, false];
    const settledAs = awaits ? 'W' : 'D';
    if (found?.state === 'D' || (found?.state === 'W' && awaits)) {
      if (found.token !== token || found.state !== settledAs) return { kind: 'lost' };
    } else {
      if (found?.state === 'C' && found.token !== token && found.until > now && found.worker !== NOBODY)
        return { kind: 'lost' };
      if (found?.state !== 'C' || found.token !== token || found.until <= now) return { kind: 'expired' };
      const unsent = awaits && found.unsent;
      if (found.unsent && !unsent) this.add('j', -1);
      this.putTurn(settlement.node, settlement.turn, { ...found, state: settledAs, worker: '', until: 0, unsent });
      this.add('o', -1);
      if (awaits) this.add('w', 1);
      if (settlement.outcome === 'failed') this.set('e', settlement.endsRun ? ENDED : (this.get('e') ?? '1'));
      if (settlement.outcome === 'rescued') this.set('y', '1');
      [ended, first] = [!awaits, true];
    }
    const advance = new Advance(this, request, now, first, awaits || found.unsent);
    if (settlement.rescuedPasses) advance.rescue(settlement.rescuedPasses);
    advance.releaseQueued();
    for (const id of settlement.dynamic) advance.addDynamic(id);
    advance.beginBatch();
    advance.endItem();
    for (const target of settlement.targets) advance.tell(target);
    if (
      settlement.late &&
      this.turn(settlement.late.rescuer, turnOfPasses(this.resolve(settlement.late.passes)))?.state === 'D'
    ) {
      for (const target of settlement.late.targets) advance.tell(target, 'late');
    }
    // after what this turn leads to has been counted
    if (ended) advance.leave(found.passes);
    for (const join of settlement.settling ?? []) advance.review(join);
    return {
      kind: 'accepted',
      fired: advance.fired,
      ...this.counts(),
    };
  }

  /** `below`: only if no token as high as this was granted. False: one was, so the run has gone on since. */
  close(status: string, below = Number.MAX_SAFE_INTEGER): boolean {
    if (this.fields.size === 0) return true;
    if (Number(this.get('t') ?? 0) >= below) return false;
    this.set('x', status);
    return true;
  }

  /** Claims that nothing was begun with: the turns are as they were before. */
  giveBack(claims: readonly ClaimRef[]): void {
    for (const { node, turn, token } of claims) {
      const found = this.turn(node, turn);
      if (found?.state !== 'C' || found.token !== token || this.get('x') !== undefined) continue;
      this.putTurn(node, turn, { ...found, state: 'R', token: 0, worker: '', until: 0, claims: found.claims - 1 });
    }
  }

  /** These turns have no message. */
  unsend(turns: readonly TurnRef[]): void {
    for (const { node, turn } of turns) {
      const found = this.turn(node, turn);
      if (!found || found.unsent) continue;
      this.putTurn(node, turn, { ...found, unsent: true });
      this.add('j', 1);
    }
  }

  /** These turns have messages now. */
  sent(turns: readonly TurnRef[]): void {
    for (const { node, turn } of turns) {
      const found = this.turn(node, turn);
      if (!found?.unsent) continue;
      this.putTurn(node, turn, { ...found, unsent: false });
      this.add('j', -1);
    }
  }

  counts(): RunCounts {
    const tooManyTurnsAt = this.get('p');
    return {
      open: Number(this.get('o') ?? 0),
      awaiting: Number(this.get('w') ?? 0),
      failed: this.get('e') !== undefined,
      isOver: this.get('e') === ENDED,
      rescued: this.get('y') === '1',
      unsent: Number(this.get('j') ?? 0),
      ...(tooManyTurnsAt === undefined ? {} : { tooManyTurnsAt }),
      token: Number(this.get('t') ?? 0),
      turns: Number(this.get('q') ?? 0),
    };
  }

  /** All turns that the run has had, in no order. */
  turns(): {
    node: string;
    turn: string;
    state: TurnField['state'];
    token: number;
    worker: string;
    until: number;
    passes: string[];
    round: number;
    unsent: boolean;
    made?: string;
    origin?: Origin;
  }[] {
    return [...this.fields.keys()].flatMap((name) => {
      const [kind, node, turn] = name.split(SEP);
      if (kind !== 's' || node === undefined || turn === undefined) return [];
      const found = this.turn(node, turn);
      return found ? [{ node, turn, ...found, ...this.origin(node, turn) }] : [];
    });
  }
}
