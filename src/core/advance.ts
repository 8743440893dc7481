import type { FiredTurn, SettleRequest } from './ledger-calls.js';
import { BatchItems } from './batch-items.js';
import { field, PASS_SEP, SEP, type LedgerFields } from './ledger-fields.js';
import type { Lead } from './leads.js';
import type { Arrival, Origin, PassRef, SettlementTarget } from './settlement.js';
import { turnOfEntry, turnOfPasses } from './turns.js';

/** In-process an answer comes after all that could be computed without it. */
const PAUSE_ROUNDS = 1_000_000;

interface FiringTarget extends Pick<SettlementTarget, 'node' | 'when' | 'opensPass' | 'leads'> {
  /** It does not count for the most turns of a run. */
  readonly isFree?: boolean;
  /** It was added to the run, so it has an origin. */
  readonly isAdded?: boolean;
}

/** What one settle moves forward. Repeating it on the same state changes nothing and names the same turns. Twin: the script `advance`. */
export class Advance {
  readonly fired: FiredTurn[] = [];
  private claimsLeft: number;
  private readonly round: number;

  constructor(
    private readonly ledger: LedgerFields,
    private readonly request: SettleRequest,
    private readonly now: number,
    /** The turn has not settled so before. */
    private readonly first: boolean,
    /** Nobody repeats this settle if its worker is lost now: the turn waits, or may have no message itself. */
    private readonly unsent: boolean,
  ) {
    this.claimsLeft = request.claim;
    const { node, turn, pauses } = request.settlement;
    this.round = (ledger.turn(node, turn)?.round ?? 0) + (pauses ? PAUSE_ROUNDS : 0);
  }

  addDynamic(id: string): void {
    const { node, turn, gather, dynamicLeads = [], workerOf } = this.request.settlement;
    const name = field('v', id, turn);
    if (this.ledger.get(name) === undefined) {
      this.ledger.set(name, [node, turn, gather ?? ''].join(SEP));
      if (gather !== undefined) this.ledger.add(field('m', gather), 1);
    }
    // one round adds them all; only nodes that add nodes that add nodes may do so for ever
    const isFree = workerOf === undefined && this.ledger.origin(node, turn).origin === undefined;
    const target = { node: id, when: 'joined', leads: dynamicLeads, isFree, isAdded: true } as const;
    this.fire(target, turn, this.ledger.turn(node, turn)?.passes ?? [], this.round + 1);
  }

  /** The first items of a batch become ready with its scatter, each of the others when one of them ends. */
  beginBatch(): void {
    const { batch, node, turn, gather, dynamicLeads = [] } = this.request.settlement;
    if (!batch) return;
    const items = BatchItems.begin(this.ledger, batch, { node, turn, gather, round: this.round });
    const passes = this.ledger.turn(node, turn)?.passes ?? [];
    this.fireItems(items, batch.prefix, { from: 0, to: items.first }, passes, dynamicLeads);
  }

  /** An item that ends, or begins to wait, makes room for others. */
  endItem(): void {
    const { workerOf, node, turn, outcome, leads = [] } = this.request.settlement;
    const found = this.ledger.turn(node, turn);
    if (workerOf === undefined || !found) return;
    const items = new BatchItems(this.ledger, workerOf);
    if (!items.exists) return;
    if (this.first) {
      const count = outcome === 'awaiting' ? 1 : items.end(outcome === 'completed');
      // one that waited has made room for another already
      const { from, to } = items.take(found.made === undefined || count > 1 ? count : 0);
      found.made = [...(found.made ? [found.made] : []), ...(to > from ? [`${from}-${to}`] : [])].join(',');
      this.ledger.putTurn(node, turn, found);
    }
    for (const range of (found.made ?? '').split(',').filter((text) => text !== '')) {
      const [from = 0, to = 0] = range.split('-').map(Number);
      this.fireItems(items, workerOf, { from, to }, found.passes, leads);
    }
  }

  private fireItems(
    items: BatchItems,
    prefix: string,
    { from, to }: { from: number; to: number },
    passes: string[],
    leads: readonly Lead[],
  ): void {
    for (let i = from; i < to; i++) {
      const target = { node: `${prefix}_${i}`, when: 'joined', leads, isFree: true, isAdded: true } as const;
      this.fire(target, items.turn, passes, items.round + 1);
    }
  }

  /** @param late the target's rescuer has settled before this node failed: the edges that it took may count now */
  tell(target: SettlementTarget, late?: 'late'): void {
    const passes = this.ledger.resolve(target.passes);
    const mark = field('k', target.node, passes.join(PASS_SEP));
    if (target.when === 'settled') {
      if (target.taken) this.raise(mark);
      return;
    }
    if (this.isDirect(target)) {
      // of an edge that was taken for another node, and of one that fails later, the rounds tell
      if (target.taken && !this.isOwn(target)) {
        this.raise(mark);
        return;
      }
      const taken = late ? Number(this.ledger.get(mark) ?? -1) > this.round : target.taken;
      if (taken) this.fireOver(target, passes);
      if (taken || target.when !== 'joined') return;
    }
    const last = field('r', target.node, passes.join(PASS_SEP));
    for (const arrival of target.arrivals)
      if (this.arrive(target, arrival)) this.raise(last, arrival.ifRescued ? this.roundOf(arrival) : this.round);
    if (target.taken) this.raise(mark);
    // as if in rounds: a taken edge makes the join ready if all predecessors have completed by that round
    const [takenIn, lastIn] = [Number(this.ledger.get(mark) ?? -1), Number(this.ledger.get(last) ?? 0)];
    if (takenIn < lastIn) return;
    if (Number(this.ledger.get(field('d', target.node)) ?? 0) < this.awaited(target)) return;
    if (this.arrived(target, passes) >= target.need) this.fire(target, turnOfPasses(passes), passes, takenIn + 1);
  }

  /** A taken edge is enough for the target. */
  private isDirect(target: SettlementTarget): boolean {
    if (target.when !== 'joined') return true;
    const hasCompleted = target.arrivals.some(({ ifRescued }) => !ifRescued);
    return target.need <= 1 && hasCompleted && this.awaited(target) === 0 && !target.gathers;
  }

  /** The edge is the node's own, or that of a node which had failed before this round; else of one that may fail later. */
  private isOwn({ arrivals }: SettlementTarget): boolean {
    const hadFailed = (arrival: Arrival) => this.isRescued(arrival) && this.roundOf(arrival) < this.round;
    return arrivals.length === 0 || arrivals.some((arrival) => !arrival.ifRescued || hadFailed(arrival));
  }

  private fireOver(target: SettlementTarget, passes: string[]): void {
    const { when, turn, entry } = target;
    if (when !== 'each') return this.fire(target, turnOfPasses(passes), passes, this.round + 1);
    const name = turn ?? turnOfEntry(passes, entry?.source ?? '', entry?.turn ?? '', entry?.plain ?? true);
    if (target.fresh && this.wasReady(target.node, name, passes)) return;
    this.fire(target, name, passes, this.round + 1);
  }

  private awaited({ node }: SettlementTarget): number {
    return Number(this.ledger.get(field('m', node)) ?? 0);
  }

  private isRescued({ from, passes }: Arrival): boolean {
    return this.ledger.get(field('b', from, this.ledger.resolve(passes).join(PASS_SEP))) !== undefined;
  }

  /** A `settled` join becomes ready once an edge into it was taken and no open turn leads to it any more. */
  review(target: SettlementTarget): void {
    const passes = this.ledger.resolve(target.passes);
    const taken = this.ledger.get(field('k', target.node, passes.join(PASS_SEP)));
    if (taken === undefined) return;
    let round = Number(taken);
    for (let depth = 0; depth <= passes.length; depth++) {
      const prefix = passes.slice(0, depth).join(PASS_SEP);
      if (Number(this.ledger.get(field('u', target.node, prefix)) ?? 0) !== 0) return;
      round = Math.max(round, Number(this.ledger.get(field('r', target.node, prefix)) ?? 0));
    }
    this.fire(target, turnOfPasses(passes), passes, round + 1);
  }

  /** The settled turn does not lead to `settled` joins any more. */
  leave(passes: readonly string[]): void {
    const { leads = [] } = this.request.settlement;
    this.ledger.addLeads(leads, passes, -1);
    for (const { join, depth } of leads) this.raise(field('r', join, passes.slice(0, depth).join(PASS_SEP)));
  }

  /** In another turn than this one. */
  private wasReady(node: string, turn: string, passes: readonly string[]): boolean {
    const last = this.ledger.get(field('l', node));
    if (last === undefined || this.ledger.turn(node, turn)) return false;
    return this.ledger.turn(node, last)?.passes.join(PASS_SEP) === passes.join(PASS_SEP);
  }

  /** A rescued node has completed when it failed first, not when its rescuer settled. */
  rescue(passes: readonly PassRef[]): void {
    const mark = field('b', this.request.settlement.node, this.ledger.resolve(passes).join(PASS_SEP));
    const before = this.ledger.get(mark);
    if (before === undefined || Number(before) > this.round) this.ledger.set(mark, String(this.round));
  }

  private roundOf({ from, passes }: Arrival): number {
    return Number(this.ledger.get(field('b', from, this.ledger.resolve(passes).join(PASS_SEP))) ?? 0);
  }

  private raise(mark: string, round = this.round): void {
    const before = this.ledger.get(mark);
    if (before === undefined || Number(before) < round) this.ledger.set(mark, String(round));
  }

  /** False if it does not count, or has counted before. */
  private arrive(target: SettlementTarget, arrival: Arrival): boolean {
    const passes = this.ledger.resolve(arrival.passes).join(PASS_SEP);
    if (arrival.ifRescued && !this.isRescued(arrival)) return false;
    if (target.unmarked) {
      if (!this.first) return false;
    } else {
      const mark = field('a', target.node, arrival.from, passes, ...(target.gathers ? ['g'] : []));
      if (this.ledger.get(mark) !== undefined) return false;
      this.ledger.set(mark, '1');
    }
    if (target.gathers) this.ledger.add(field('d', target.node), 1);
    else this.ledger.add(field('n', target.node, arrival.passes.map(([loop]) => loop).join(PASS_SEP), passes), 1);
    return true;
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
      this.start({ node }, next, queued.passes, queued.round);
    } else {
      this.fired.push({ node, turn: next, passes: queued.passes });
    }
  }

  private fire(target: FiringTarget, turn: string, passes: string[], round: number): void {
    const { ledger } = this;
    const { node } = target;
    const before = ledger.turn(node, turn);
    if (before) {
      if (before.state === 'R' || before.state === 'C')
        this.fired.push({ node, turn, passes: before.passes, ...this.origin(target, turn) });
      return;
    }
    if (!target.isFree && Number(ledger.get('q') ?? 0) >= this.request.maxTurns) {
      if (ledger.get('p') === undefined) ledger.set('p', node);
      return;
    }
    ledger.add('o', 1);
    if (!target.isFree) ledger.add('q', 1);
    ledger.addLeads(target.leads ?? [], passes, 1);
    if (target.when === 'each') {
      const last = ledger.get(field('l', node));
      ledger.set(field('l', node), turn);
      const state = last === undefined ? undefined : ledger.turn(node, last)?.state;
      if (last !== undefined && (state === 'R' || state === 'C' || state === 'Q')) {
        ledger.set(field('h', node, last), turn);
        ledger.putTurn(node, turn, {
          state: 'Q',
          passes,
          token: 0,
          worker: '',
          until: 0,
          claims: 0,
          round,
          unsent: false,
        });
        return;
      }
    }
    if (target.opensPass) ledger.set(field('g', node), turn);
    this.start(target, turn, passes, round);
  }

  private origin({ node, isAdded }: Pick<FiringTarget, 'node' | 'isAdded'>, turn: string): { origin?: Origin } {
    return isAdded ? this.ledger.origin(node, turn) : {};
  }

  private start(target: Pick<FiringTarget, 'node' | 'isAdded'>, turn: string, passes: string[], round: number): void {
    const { ledger, request, now } = this;
    const { node } = target;
    const fired = { node, turn, passes, ...this.origin(target, turn) };
    const isClaimed = this.claimsLeft > 0;
    const unsent = isClaimed || this.unsent;
    if (unsent) ledger.add('j', 1);
    const open = { passes, round, unsent };
    if (!isClaimed) {
      ledger.putTurn(node, turn, { ...open, state: 'R', token: 0, worker: '', until: 0, claims: 0 });
      this.fired.push(fired);
      return;
    }
    this.claimsLeft--;
    const token = ledger.nextToken(now, 0);
    const until = now + request.leaseMs * 1000;
    ledger.putTurn(node, turn, { ...open, state: 'C', token, worker: request.worker, until, claims: 1 });
    this.fired.push({ ...fired, token });
  }
}
