import type { NodeDefinition } from 'flowcraft';

/** How often a node may be tried, with which pauses, and for how long. Milliseconds. */
export interface AttemptPolicy {
  readonly maxAttempts: number;
  /** Pause after the first failed attempt; 0: none, as in flowcraft. */
  readonly retryDelayMs: number;
  /** Pauses do not grow beyond this. */
  readonly maxRetryDelayMs: number;
  /** Of one attempt. */
  readonly timeoutMs?: number;
}

/** Unless `config.maxRetryDelay` says otherwise. */
export const MAX_RETRY_DELAY_MS = 300_000;
/** Of a pause at most so much is added by chance, so that what failed together is not tried again together. */
const JITTER = 0.25;

/** Numbers that make no sense (negative, not finite) count as absent, as flowcraft ignores them. */
export function attemptPolicyOf({ config }: { readonly config?: NodeDefinition['config'] }): AttemptPolicy {
  const { maxRetries = 1, retryDelay, timeout } = config ?? {};
  const { maxRetryDelay } = (config ?? {}) as { maxRetryDelay?: unknown };
  const retryDelayMs = positive(retryDelay) ?? 0;
  const timeoutMs = positive(timeout);
  return {
    maxAttempts: maxRetries,
    retryDelayMs,
    maxRetryDelayMs: Math.max(retryDelayMs, positive(maxRetryDelay) ?? MAX_RETRY_DELAY_MS),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

/** Pause after so many failed attempts: doubles each time, up to the cap, and a bit more by chance. `random` is in [0, 1). */
export function retryPauseMs(policy: AttemptPolicy, failedAttempts: number, random: number): number {
  const doubled = policy.retryDelayMs * 2 ** Math.min(30, failedAttempts - 1);
  return Math.round(Math.min(policy.maxRetryDelayMs, doubled) * (1 + random * JITTER));
}

function positive(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;
}
