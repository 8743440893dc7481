/** Exponential backoff with full jitter between half and all of the delay. */
export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Delay before try number `attempt` + 1, in milliseconds. `random` is in [0, 1). */
export function backoffMs(backoff: Backoff, attempt: number, random: number): number {
  const full = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(attempt, 30));
  return Math.round(full * (0.5 + random / 2));
}
