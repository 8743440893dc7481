import { CallTimeoutError, ClosedError, UnavailableError } from '../core/errors.js';
import { delay, type Clock } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';
import type { Persistence } from './persistence.js';

const RETRY_MS = 250;

/**
 * Bounds the calls of the client in time. The engine waits for a server for as long as it takes; a caller must not,
 * since a person or a request waits for it. What a call has begun goes on behind its back: it is safe to repeat.
 */
export class ClientCalls {
  /** Calls under way, which end when the application closes. */
  private readonly closing = new Set<() => void>();

  constructor(
    private readonly persistence: Persistence,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly timeoutMs: number,
    /** Aborted when the application closes. */
    readonly closed: AbortSignal,
  ) {
    closed.addEventListener('abort', () => {
      for (const end of [...this.closing]) end();
    });
  }

  /**
   * Repeats `work` while a server is away, as long as there is time. Every call of the client is safe to repeat.
   * @throws CallTimeoutError, ClosedError, and what `work` throws
   */
  async run<T>(call: string, runId: string | undefined, work: () => Promise<T>): Promise<T> {
    const ids = runId === undefined ? {} : { runId };
    if (this.closed.aborted) throw closedError(ids);
    const begun = this.repeat(work);
    const outcome = await this.inTime(begun);
    if (typeof outcome === 'object') return outcome.value;
    begun.catch((error: unknown) =>
      this.logger.debug(`${call} ended behind the back of its caller.`, { ...ids, error }),
    );
    if (outcome === 'closed') throw closedError(ids);
    throw new CallTimeoutError(call, this.timeoutMs, { ...ids, cause: this.persistence.lastRefusal });
  }

  private inTime<T>(work: Promise<T>): Promise<{ value: T } | 'late' | 'closed'> {
    return new Promise((resolve, reject) => {
      const end = () => {
        cancel();
        this.closing.delete(closed);
      };
      const closed = () => {
        end();
        resolve('closed');
      };
      const cancel = this.clock.after(this.timeoutMs, () => {
        end();
        resolve('late');
      });
      this.closing.add(closed);
      work.finally(end).then((value) => resolve({ value }), reject);
    });
  }

  private async repeat<T>(work: () => Promise<T>): Promise<T> {
    const end = this.clock.now() + this.timeoutMs - RETRY_MS;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof UnavailableError) || this.closed.aborted || this.clock.now() >= end) throw error;
        await delay(this.clock, RETRY_MS, this.closed);
      }
    }
  }
}

export function closedError(ids: { runId?: string } = {}): ClosedError {
  const run = ids.runId === undefined ? '' : ` Run '${ids.runId}' is not touched by that.`;
  return new ClosedError(`The application has closed, and flowcraft with it.${run} Ask in a process that runs.`, ids);
}
