import { prefixOf } from './batch.js';
import type { Lead } from './leads.js';
import type { Origin, PassRef } from './settlement.js';
import { BEFORE_FIRST_PASS } from './turns.js';

/** Separates the parts of a field's name and of its value. */
export const SEP = '\u001f';
/** Separates the passes within a value. */
export const PASS_SEP = '\u001e';
/** The worker of a placeholder claim, which a rebuild leaves for executors that may be alive. */
export const NOBODY = '?';

export interface TurnField {
  /** Ready, Claimed, Done, Waiting, Queued behind another turn of its node. */
  state: 'R' | 'C' | 'D' | 'W' | 'Q';
  passes: string[];
  token: number;
  worker: string;
  /** Microseconds. */
  until: number;
  claims: number;
  /** How many turns lie behind this one, on the longest of the ways that led to it: what flowcraft's rounds count. */
  round: number;
  /** It may have no message: it went on with the worker that fired it, or nobody repeats the settle that fired it. */
  unsent: boolean;
  /** The items of its batch that became ready when this one ended or began to wait: `from-to`, several with commas. */
  made?: string;
}

/**
 * The flat map that holds the coordination state of one run. In Redis it is a hash with the same fields.
 *
 * Fields: `x` end status once closed · `i` incarnation · `t` highest token · `o` open turns · `w` awaiting turns ·
 * `q` turns so far · `j` turns that may have no message · `p` the node whose next turn would have been one too many · `z` how often the run was retried · `e` a node failed (2: the run ends with that) · `y` a node was rescued · `s node turn` state
 * of a turn · `v node turn` origin of a dynamic node · `g loop` current pass · `a target from passes` an arrival ·
 * `n target group passes` how many distinct
 * arrivals · `r target passes` the highest round of a first arrival, or of what led to a `settled` join · `k target passes`
 * that of a taken edge · `m target` dynamic nodes to gather · `d target` those gathered · `b node passes` the lowest
 * round in which the node failed and was rescued · `l node` the turn of an `any` node that fired last · `h node turn` the turn of the same node that is queued
 * behind this one · `u join passes` how many open turns of these passes may lead to a `settled` join · `z prefix` a batch,
 * by what the ids of its workers begin with · `f prefix` how many of its items have become ready · `c prefix` how many
 * have completed.
 */
export class LedgerFields {
  constructor(readonly fields: Map<string, string> = new Map()) {}

  get(name: string): string | undefined {
    return this.fields.get(name);
  }

  set(name: string, value: string): void {
    this.fields.set(name, value);
  }

  add(name: string, by: number): number {
    const value = Number(this.fields.get(name) ?? 0) + by;
    this.fields.set(name, String(value));
    return value;
  }

  turn(node: string, turn: string): TurnField | undefined {
    const text = this.fields.get(field('s', node, turn));
    if (text === undefined) return undefined;
    const [state, passes, token, worker, until, claims, round, unsent, made] = text.split(SEP);
    return {
      state: state as TurnField['state'],
      passes: passes === undefined || passes === '' ? [] : passes.split(PASS_SEP),
      token: Number(token),
      worker: worker ?? '',
      until: Number(until),
      claims: Number(claims),
      round: Number(round),
      unsent: unsent === '1',
      ...(made === undefined ? {} : { made }),
    };
  }

  putTurn(node: string, turn: string, t: TurnField): void {
    const unsent = t.unsent ? '1' : '';
    const parts = [t.state, t.passes.join(PASS_SEP), t.token, t.worker, t.until, t.claims, t.round, unsent];
    this.set(field('s', node, turn), [...parts, ...(t.made === undefined ? [] : [t.made])].join(SEP));
  }

  makeReady(node: string, turn: string, passes: string[], leads: readonly Lead[] = []): void {
    this.putTurn(node, turn, {
      state: 'R',
      passes,
      token: 0,
      worker: '',
      until: 0,
      claims: 0,
      round: 0,
      unsent: false,
    });
    this.add('o', 1);
    this.add('q', 1);
    this.addLeads(leads, passes, 1);
  }

  /** Counts an open turn of these passes, or that there is one less. */
  addLeads(leads: readonly Lead[], passes: readonly string[], by: 1 | -1): void {
    for (const { join, depth } of leads) this.add(field('u', join, passes.slice(0, depth).join(PASS_SEP)), by);
  }

  nextToken(now: number, floor: number): number {
    const token = Math.max(now, floor + 1, Number(this.get('t') ?? 0) + 1);
    this.set('t', String(token));
    return token;
  }

  resolve(passes: readonly PassRef[]): string[] {
    return passes.map(([loop, pass]) => pass ?? this.get(field('g', loop)) ?? BEFORE_FIRST_PASS);
  }

  origin(node: string, turn: string): { origin?: Origin } {
    const own = this.get(field('v', node, turn));
    const batch = own === undefined ? prefixOf(node) : undefined;
    const text = batch === undefined ? own : this.get(field('z', batch));
    if (text === undefined) return {};
    const [creator = '', creatorTurn = '', gather = ''] = text.split(SEP);
    const of = batch === undefined ? {} : { batch };
    return { origin: { creator, creatorTurn, ...(gather === '' ? {} : { gather }), ...of } };
  }
}

export function field(...parts: string[]): string {
  return parts.join(SEP);
}
