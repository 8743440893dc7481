import type { RunOptions } from '../core/run.js';

export interface StartOptions {
  /** 1 to 128 characters of A-Z a-z 0-9 _ . : -; default: a new UUID (v7). */
  readonly runId?: string;
  /** Of the blueprint; default: the one registered last. */
  readonly version?: string;
  readonly tags?: readonly string[];
  /** Refuse a blueprint with a cycle, as flowcraft's `strict` does. */
  readonly strict?: boolean;
  /** Nothing of the run is executed before so many milliseconds have passed; until then it is `awaiting`. */
  readonly delayMs?: number;
  /** If the run has not ended so many milliseconds after it began (after the delay), it fails and what runs is aborted. */
  readonly timeoutMs?: number;
  /**
   * `continue`: when a node fails, the other branches go on, and the run fails at its end. `fail-fast`: the run fails at
   * once, and what runs is aborted. Subflows do likewise. Default `continue`.
   */
  readonly failurePolicy?: 'continue' | 'fail-fast';
}

/**
 * What of them is kept with the run.
 * @param now milliseconds since 1970
 * @param subflows the versions of its subflows: content hashes by blueprint id
 */
export function optionsOf(
  { delayMs, timeoutMs, failurePolicy }: StartOptions,
  now: number,
  subflows: RunOptions['subflows'] = {},
): RunOptions {
  const startAt = now + (delayMs ?? 0);
  return {
    ...(delayMs ? { startAt } : {}),
    ...(timeoutMs === undefined ? {} : { deadline: startAt + timeoutMs }),
    ...(failurePolicy === 'fail-fast' ? { failurePolicy } : {}),
    ...(Object.keys(subflows).length > 0 ? { subflows } : {}),
  };
}
