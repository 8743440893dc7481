/** The only source of time and delay in the engine. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `run` once after `ms`; the returned function cancels it. A timer keeps the process alive: whoever starts one cancels it. */
  after(ms: number, run: () => void): () => void;
}

export interface Ids {
  /** A new run id, unique everywhere, ordered by time. */
  runId(): string;
  /** An id of this process life: two starts of one host differ. */
  workerId(): string;
  /** A secret of 256 random bits, as 43 characters that a URL can hold. Nobody can guess it. */
  token(): string;
  /** In [0, 1). */
  random(): number;
}

/** Waits `ms`, or until the signal aborts; never rejects. */
export function delay(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const end = () => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal?.addEventListener('abort', end, { once: true });
  });
}
