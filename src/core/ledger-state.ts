import type { Arrival, Origin, PassRef, Settlement, SettlementTarget } from './settlement.js';
import { BEFORE_FIRST_PASS, turnOfEntry, turnOfPasses } from './turns.js';

/** Separates the parts of a field's name and of its value. */
export const SEP = '\u001f';
/** Separates the passes within a value. */
export const PASS_SEP = '\u001e';
/** The worker of a placeholder claim, which a rebuild leaves for executors that may be alive. */
export const NOBODY = '?';
/** How soon to ask again for a turn that is queued. */
export const QUEUED_RETRY_MS = 200;

export interface ClaimRequest {
  readonly node: string;
  readonly turn: string;
  readonly worker: string;
  readonly leaseMs: number;
  /** The granted token is higher than this: the stamp of a row already in the journal. */
  readonly floor: number;
  /** Take the turn although this claim (its token) on it has not run out: its worker is known to be dead. */
  readonly takeover?: number;
  /** `resume`: the turn must await. `again`: the caller executed it before; a placeholder claim does not keep it out. */
  readonly mode: 'job' | 'resume' | 'again';
}

export type ClaimAnswer =
  | { kind: 'granted'; token: number; passes: string[]; claims: number; origin?: Origin }
  | { kind: 'settled'; token: number; passes: string[]; origin?: Origin }
  | { kind: 'awaiting' }
  | { kind: 'busy'; worker: string; token: number; retryInMs: number }
  | { kind: 'closed'; status: string }
  | { kind: 'unknown'; incarnation: string }
  | { kind: 'missing' };

export interface SettleRequest {
  readonly settlement: Settlement;
  readonly token: number;
  readonly worker: string;
  readonly leaseMs: number;
  /** How many of the fired targets this worker claims in the same call. */
  readonly claim: number;
  /** Beyond this many turns in a run, none becomes ready any more. */
  readonly maxTurns: number;
}

export interface FiredTurn {
  readonly node: string;
  readonly turn: string;
  readonly passes: string[];
  /** Granted to the caller in this call. */
  readonly token?: number;
  readonly origin?: Origin;
}

export interface RunCounts {
  /** Turns that are ready or claimed. */
  readonly open: number;
  readonly awaiting: number;
  /** Some node failed without rescue; some node was rescued by a fallback. */
  readonly failed: boolean;
  readonly rescued: boolean;
  /** The highest token granted in this run so far. */
  readonly token: number;
}

export type SettleAnswer =
  | ({ kind: 'accepted'; fired: FiredTurn[]; tooManyTurnsAt?: string } & RunCounts)
  | { kind: 'lost' }
  | { kind: 'expired' }
  | { kind: 'closed'; status: string }
  | { kind: 'missing' };

interface TurnField {
  /** Ready, Claimed, Done, Waiting, Queued behind another turn of its node. */
  state: 'R' | 'C' | 'D' | 'W' | 'Q';
  passes: string[];
  token: number;
  worker: string;
  /** Microseconds. */
  until: number;
  claims: number;
}

/**
 * The coordination state of one run as a flat map of fields, and the decisions on it. Times are microseconds.
 *
 * This is the in-memory ledger and what a rebuild computes; `drivers/redis/scripts` is the same in Lua over the hash
 * with the same fields, and a property test holds the two against each other.
 *
 * Fields: `x` end status once closed · `i` incarnation · `t` highest token · `o` open turns · `w` awaiting turns ·
 * `q` turns so far · `e` a node failed · `y` a node was rescued · `s node turn` state of a turn · `v node` origin of a
 * dynamic node · `g loop` current pass · `a target from passes` an arrival · `n target group passes` how many distinct
 * arrivals · `k target passes` an edge was taken · `m target` dynamic nodes to gather · `d target` those gathered ·
 * `b node passes` failed and rescued · `l node` the turn of an `any` node that fired last · `h node turn` the turn of the
 * same node that is queued behind this one.
 */
export class LedgerState {
  constructor(readonly fields: Map<string, string> = new Map()) {}

  /** Makes the turns ready that a run begins with. */
  open(starts: readonly { node: string; passes: readonly string[] }[], incarnation: string, token: number): void {
    this.set('i', incarnation);
    this.set('t', String(token));
    for (const name of ['o', 'w', 'q']) this.set(name, '0');
    for (const { node, passes } of starts) this.makeReady(node, turnOfPasses(passes), [...passes]);
  }

  claim(request: ClaimRequest, now: number): ClaimAnswer {
    const { node, turn } = request;
    if (this.fields.size === 0) return { kind: 'missing' };
    const end = this.get('x');
    if (end !== undefined) return { kind: 'closed', status: end };
    const found = this.turn(node, turn);
    if (!found) return { kind: 'unknown', incarnation: this.get('i') ?? '' };
    const origin = this.origin(node);
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
    const token = this.nextToken(now, Math.max(request.floor, found.token));
    const claims = found.claims + 1;
    this.putTurn(node, turn, {
      state: 'C',
      passes: found.passes,
      token,
      worker: request.worker,
      until: now + request.leaseMs * 1000,
      claims,
    });
    return { kind: 'granted', token, passes: found.passes, claims, ...origin };
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
    const settledAs = awaits ? 'W' : 'D';
    if (found?.state === 'D' || (found?.state === 'W' && awaits)) {
      if (found.token !== token || found.state !== settledAs) return { kind: 'lost' };
    } else {
      if (found?.state === 'C' && found.token !== token && found.until > now && found.worker !== NOBODY)
        return { kind: 'lost' };
      if (found?.state !== 'C' || found.token !== token || found.until <= now) return { kind: 'expired' };
      this.putTurn(settlement.node, settlement.turn, { ...found, state: settledAs, worker: '', until: 0 });
      this.add('o', -1);
      if (awaits) this.add('w', 1);
      if (settlement.outcome === 'failed') this.set('e', '1');
      if (settlement.outcome === 'rescued') this.set('y', '1');
    }
    const advance = new Advance(this, request, now);
    if (settlement.rescuedPasses)
      this.set(field('b', settlement.node, this.resolve(settlement.rescuedPasses).join(PASS_SEP)), '1');
    advance.releaseQueued();
    for (const id of settlement.dynamic) advance.addDynamic(id);
    for (const target of settlement.targets) advance.tell(target);
    if (
      settlement.late &&
      this.turn(settlement.late.rescuer, turnOfPasses(this.resolve(settlement.late.passes)))?.state === 'D'
    ) {
      for (const target of settlement.late.targets) advance.tell(target);
    }
    return {
      kind: 'accepted',
      fired: advance.fired,
      ...(advance.tooManyTurnsAt === undefined ? {} : { tooManyTurnsAt: advance.tooManyTurnsAt }),
      ...this.counts(),
    };
  }

  close(status: string): void {
    if (this.fields.size > 0) this.set('x', status);
  }

  counts(): RunCounts {
    return {
      open: Number(this.get('o') ?? 0),
      awaiting: Number(this.get('w') ?? 0),
      failed: this.get('e') === '1',
      rescued: this.get('y') === '1',
      token: Number(this.get('t') ?? 0),
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
    origin?: Origin;
  }[] {
    return [...this.fields.keys()].flatMap((name) => {
      const [kind, node, turn] = name.split(SEP);
      if (kind !== 's' || node === undefined || turn === undefined) return [];
      const found = this.turn(node, turn);
      return found ? [{ node, turn, ...found, ...this.origin(node) }] : [];
    });
  }

  /** @internal */ get(name: string): string | undefined {
    return this.fields.get(name);
  }

  /** @internal */ set(name: string, value: string): void {
    this.fields.set(name, value);
  }

  /** @internal */ add(name: string, by: number): number {
    const value = Number(this.fields.get(name) ?? 0) + by;
    this.fields.set(name, String(value));
    return value;
  }

  /** @internal */ turn(node: string, turn: string): TurnField | undefined {
    const text = this.fields.get(field('s', node, turn));
    if (text === undefined) return undefined;
    const [state, passes, token, worker, until, claims] = text.split(SEP);
    return {
      state: state as TurnField['state'],
      passes: passes === undefined || passes === '' ? [] : passes.split(PASS_SEP),
      token: Number(token),
      worker: worker ?? '',
      until: Number(until),
      claims: Number(claims),
    };
  }

  /** @internal */ putTurn(node: string, turn: string, t: TurnField): void {
    this.set(
      field('s', node, turn),
      [t.state, t.passes.join(PASS_SEP), t.token, t.worker, t.until, t.claims].join(SEP),
    );
  }

  /** @internal */ makeReady(node: string, turn: string, passes: string[]): void {
    this.putTurn(node, turn, { state: 'R', passes, token: 0, worker: '', until: 0, claims: 0 });
    this.add('o', 1);
    this.add('q', 1);
  }

  /** @internal */ nextToken(now: number, floor: number): number {
    const token = Math.max(now, floor + 1, Number(this.get('t') ?? 0) + 1);
    this.set('t', String(token));
    return token;
  }

  /** @internal */ resolve(passes: readonly PassRef[]): string[] {
    return passes.map(([loop, pass]) => pass ?? this.get(field('g', loop)) ?? BEFORE_FIRST_PASS);
  }

  /** @internal */ origin(node: string): { origin?: Origin } {
    const text = this.get(field('v', node));
    if (text === undefined) return {};
    const [creator = '', creatorTurn = '', gather = ''] = text.split(SEP);
    return { origin: { creator, creatorTurn, ...(gather === '' ? {} : { gather }) } };
  }
}

/** What one settle moves forward. Repeating it on the same state changes nothing and names the same turns. */
class Advance {
  readonly fired: FiredTurn[] = [];
  tooManyTurnsAt: string | undefined;
  private claimsLeft: number;

  constructor(
    private readonly ledger: LedgerState,
    private readonly request: SettleRequest,
    private readonly now: number,
  ) {
    this.claimsLeft = request.claim;
  }

  addDynamic(id: string): void {
    const { node, turn, gather } = this.request.settlement;
    const name = field('v', id);
    if (this.ledger.get(name) === undefined) {
      this.ledger.set(name, [node, turn, gather ?? ''].join(SEP));
      if (gather !== undefined) this.ledger.add(field('m', gather), 1);
    }
    this.fire({ node: id, when: 'joined' }, turnOfPasses([]), this.ledger.turn(node, turn)?.passes ?? []);
  }

  tell(target: SettlementTarget): void {
    const passes = this.ledger.resolve(target.passes);
    if (target.when === 'each') {
      if (!target.taken) return;
      const turn =
        target.turn ??
        turnOfEntry(passes, target.entry?.source ?? '', target.entry?.turn ?? '', target.entry?.plain ?? true);
      this.fire(target, turn, passes);
      return;
    }
    const turn = turnOfPasses(passes);
    const awaited = Number(this.ledger.get(field('m', target.node)) ?? 0);
    const direct = target.when === 'once' || (target.need <= 1 && awaited === 0 && !target.gathers);
    if (direct && target.taken) {
      this.fire(target, turn, passes);
      return;
    }
    for (const arrival of target.arrivals) this.arrive(target, arrival);
    const takenMark = field('k', target.node, passes.join(PASS_SEP));
    if (target.taken) this.ledger.set(takenMark, '1');
    if (this.ledger.get(takenMark) === undefined) return;
    if (Number(this.ledger.get(field('d', target.node)) ?? 0) < awaited) return;
    if (this.arrived(target, passes) >= target.need) this.fire(target, turn, passes);
  }

  private arrive(target: SettlementTarget, arrival: Arrival): void {
    const passes = this.ledger.resolve(arrival.passes).join(PASS_SEP);
    if (arrival.ifRescued && this.ledger.get(field('b', arrival.from, passes)) === undefined) return;
    const mark = field('a', target.node, arrival.from, passes);
    if (this.ledger.get(mark) !== undefined) return;
    this.ledger.set(mark, '1');
    if (target.gathers) this.ledger.add(field('d', target.node), 1);
    else this.ledger.add(field('n', target.node, arrival.passes.map(([loop]) => loop).join(PASS_SEP), passes), 1);
  }

  /** Distinct predecessors that have completed: of each group of loops, those of its pass as the target sees it. */
  private arrived(target: SettlementTarget, passes: readonly string[]): number {
    const own = new Map(target.passes.map(([loop], i) => [loop, passes[i] ?? null] as const));
    let sum = 0;
    for (const group of target.groups) {
      const seen = this.ledger.resolve(group.map((loop) => [loop, own.get(loop) ?? null] as const)).join(PASS_SEP);
      sum += Number(this.ledger.get(field('n', target.node, group.join(PASS_SEP), seen)) ?? 0);
    }
    return sum;
  }

  /** Turns of one node run one after the other, as in-process: the next is released when the one before it settles. */
  releaseQueued(): void {
    const { node, turn, opensPasses } = this.request.settlement;
    const next = this.ledger.get(field('h', node, turn));
    if (next === undefined) return;
    const queued = this.ledger.turn(node, next);
    if (!queued || queued.state === 'D' || queued.state === 'W') return;
    if (queued.state === 'Q') {
      if (opensPasses) this.ledger.set(field('g', node), next);
      this.start(node, next, queued.passes);
    } else {
      this.fired.push({ node, turn: next, passes: queued.passes, ...this.ledger.origin(node) });
    }
  }

  private fire(target: Pick<SettlementTarget, 'node' | 'when' | 'opensPass'>, turn: string, passes: string[]): void {
    const { ledger } = this;
    const { node } = target;
    const before = ledger.turn(node, turn);
    if (before) {
      if (before.state === 'R' || before.state === 'C')
        this.fired.push({ node, turn, passes: before.passes, ...ledger.origin(node) });
      return;
    }
    if (Number(ledger.get('q') ?? 0) >= this.request.maxTurns) {
      this.tooManyTurnsAt = node;
      return;
    }
    ledger.add('o', 1);
    ledger.add('q', 1);
    if (target.when === 'each') {
      const last = ledger.get(field('l', node));
      ledger.set(field('l', node), turn);
      const state = last === undefined ? undefined : ledger.turn(node, last)?.state;
      if (last !== undefined && (state === 'R' || state === 'C' || state === 'Q')) {
        ledger.set(field('h', node, last), turn);
        ledger.putTurn(node, turn, { state: 'Q', passes, token: 0, worker: '', until: 0, claims: 0 });
        return;
      }
    }
    if (target.opensPass) ledger.set(field('g', node), turn);
    this.start(node, turn, passes);
  }

  private start(node: string, turn: string, passes: string[]): void {
    const { ledger, request, now } = this;
    const fired = { node, turn, passes, ...ledger.origin(node) };
    if (this.claimsLeft <= 0) {
      ledger.putTurn(node, turn, { state: 'R', passes, token: 0, worker: '', until: 0, claims: 0 });
      this.fired.push(fired);
      return;
    }
    this.claimsLeft--;
    const token = ledger.nextToken(now, 0);
    const until = now + request.leaseMs * 1000;
    ledger.putTurn(node, turn, { state: 'C', passes, token, worker: request.worker, until, claims: 1 });
    this.fired.push({ ...fired, token });
  }
}

/** @internal */
export function field(...parts: string[]): string {
  return parts.join(SEP);
}
