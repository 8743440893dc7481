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

/** Stable over all attempts of a node turn: what a node hands to the services it calls. */
export function idempotencyKey(runId: string, nodeId: string, turn: string): string {
  return `${runId}:${nodeId}@${turn}`;
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
