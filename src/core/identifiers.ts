import { RunIdInvalidError, ContextKeyRefusedError, type FlowcraftKafkaErrorOptions } from './errors.js';

const RUN_ID = /^[A-Za-z0-9_.:-]{1,128}$/;
const REFUSED_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

export function isRunId(text: unknown): text is string {
  return typeof text === 'string' && RUN_ID.test(text);
}

/** @throws RunIdInvalidError */
export function assertRunId(runId: unknown): asserts runId is string {
  if (!isRunId(runId)) throw new RunIdInvalidError(typeof runId === 'string' ? runId : `(${typeof runId})`);
}

/** Refuses keys that would reach a prototype when a context becomes an object. @throws ContextKeyRefusedError */
export function assertContextKey(key: string, options?: FlowcraftKafkaErrorOptions): void {
  if (REFUSED_KEYS.has(key)) throw new ContextKeyRefusedError(key, options);
}

export function isRefusedKey(key: string): boolean {
  return REFUSED_KEYS.has(key);
}

/** Longer ids would not fit into a job. */
const LONGEST_NODE_ID = 512;
const UNPRINTABLE = /[\u0000-\u001f]/; // eslint-disable-line no-control-regex -- these separate the parts of ledger fields
/** Half of a character: no server stores it as it is, so two such ids would become one. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Why this cannot be the id of a node, as in "has the id ..."; undefined if it can. */
export function nodeIdProblem(id: unknown): string | undefined {
  if (typeof id !== 'string' || id === '') return 'has no id';
  if (id.length > LONGEST_NODE_ID) return `has an id of more than ${LONGEST_NODE_ID} characters`;
  if (UNPRINTABLE.test(id)) return 'has an id that holds control characters';
  if (LONE_SURROGATE.test(id)) return 'has an id that holds half of a character (a lone surrogate)';
  // an output is also a context key
  if (isRefusedKey(id)) return `has the id '${id}', which could change prototypes`;
  return undefined;
}

/**
 * Stable over all attempts of a node turn: what a node hands to the services it calls. `rerun`: the attempt of the run in
 * which a completed outcome of the node was discarded, so that its effects are wanted again.
 */
export function idempotencyKey(runId: string, nodeId: string, turn: string, rerun?: number): string {
  return `${runId}:${nodeId}@${turn}${rerun === undefined ? '' : `~${rerun}`}`;
}

/** How one process names a turn of one run in its own maps. */
export function turnKey(runId: string, nodeId: string, turn: string): string {
  return `${runId}\u001f${nodeId}\u001f${turn}`;
}

/** Under what name the `n`-th answer of a process to a waiting turn claims that turn. */
export function claimantOf(worker: string, n: number): string {
  return `${worker}/${n}`;
}

/** The process behind the name of a claim. */
export function workerOf(claimant: string): string {
  return claimant.split('/', 1)[0] ?? claimant;
}
