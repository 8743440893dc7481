import { createHash } from 'node:crypto';

/**
 * Names of turns. A turn is one time that a node becomes ready within a run. Its name is a function of what made the
 * node ready and of nothing else, so that a repeated settle, another worker and a rebuild from the journal all find
 * the same name.
 *
 * - A node in no loop whose join is `all`, `first` or `settled` has the one turn `1`.
 * - In loops, such a node is named by the passes it belongs to: `3`, or `2/3` (second outer, third inner pass).
 * - An `any` join is named by the arrival: `b` (node b, turn 1), or `b:3` (turn 3 of node b).
 * - A loop controller counts its passes: `1`, `2`, ...; entered through an `any` arrival, `x#1`, `x#2`, ...
 */
export const FIRST_TURN = '1';
/** The pass of a loop whose controller has not become ready yet. */
export const BEFORE_FIRST_PASS = '0';

const PASS_SEPARATOR = '/';
const LONGEST_QUOTED_TURN = 24;

/** `passes`: for each loop around the node, outermost first, the turn of its controller that opened the pass. */
export function turnOfPasses(passes: readonly string[]): string {
  return passes.length === 0 ? FIRST_TURN : passes.join(PASS_SEPARATOR);
}

/** The turn of an `any` join that `source` in `sourceTurn` arrives at. Bounded in length: cycles would nest names for ever. */
export function turnOfArrival(source: string, sourceTurn: string): string {
  if (sourceTurn === FIRST_TURN) return source;
  return `${source}:${sourceTurn.length <= LONGEST_QUOTED_TURN ? sourceTurn : digest(sourceTurn)}`;
}

/** The controller's turn when its loop is entered from outside. `plain`: the only way in, by a node that is no `any` join. */
export function turnOfEntry(outer: readonly string[], source: string, sourceTurn: string, plain: boolean): string {
  if (!plain) return `${turnOfArrival(source, sourceTurn)}#1`;
  return outer.length === 0 ? FIRST_TURN : `${outer.join(PASS_SEPARATOR)}.1`;
}

/** The controller's turn after the pass `pass`: its trailing number, one higher. */
export function turnOfNextPass(pass: string): string {
  const digits = /\d+$/.exec(pass)?.[0] ?? '';
  return `${pass.slice(0, pass.length - digits.length)}${Number(digits === '' ? '0' : digits) + 1}`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
