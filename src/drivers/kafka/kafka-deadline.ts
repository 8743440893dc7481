/**
 * Waits for a promise, but no longer than `ms`. Answers whether it was fulfilled in time; a failure, also a late one,
 * goes to `failed`.
 */
export async function within(
  ms: number,
  promise: Promise<unknown>,
  failed: (error: unknown) => void,
): Promise<boolean> {
  const done = promise.then(
    () => true,
    (error: unknown) => {
      failed(error);
      return false;
    },
  );
  return race(ms, done, (resolve) => resolve(false));
}

/** Says less than any other failure: never the one to report when another is known. */
export class NoAnswer extends Error {
  constructor(ms: number) {
    super(`No answer within ${ms} ms`);
  }
}

/** The promise, or a rejection after `ms`. */
export async function orTimeout<T>(ms: number, promise: Promise<T>): Promise<T> {
  return race(ms, promise, (_, reject) => reject(new NoAnswer(ms)));
}

/** Waits `ms`, or until the signal aborts. Keeps the process alive meanwhile: somebody waits for what comes after. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, signal.aborted ? 0 : ms);
    signal.addEventListener('abort', end);
  });
}

async function race<T>(
  ms: number,
  promise: Promise<T>,
  late: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<T>((resolve, reject) => {
    timer = setTimeout(() => late(resolve, reject), ms);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
