import { backoffMs, type Backoff } from '../core/backoff.js';
import { UnavailableError } from '../core/errors.js';
import { delay, type Clock, type Ids } from '../ports/clock.js';
import type { Logger, LogFields } from '../ports/logger.js';

const BACKOFF: Backoff = { firstMs: 50, maxMs: 2000 };

/** Repeats calls that a server could not serve for now. All calls of the ports are safe to repeat. */
export class Persistence {
  /** How many calls wait for a server to come back. */
  waiting = 0;
  /** Why they wait; undefined while none does. */
  lastRefusal: UnavailableError | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly ids: Ids,
    private readonly logger: Logger,
    private readonly stop: AbortSignal,
  ) {}

  /** Resolves with the first answer. Rejects with the last UnavailableError once the worker stops, and with any other error at once. */
  until<T>(call: () => Promise<T>, fields: LogFields = {}): Promise<T> {
    try {
      // nearly all are answered at once
      return call().catch((error: unknown) => this.repeat(call, fields, error));
    } catch (error) {
      return this.repeat(call, fields, error);
    }
  }

  private async repeat<T>(call: () => Promise<T>, fields: LogFields, refusal: unknown): Promise<T> {
    let error = refusal;
    for (let attempt = 0; ; attempt++) {
      if (!(error instanceof UnavailableError) || this.stop.aborted) throw error;
      if (attempt === 2) this.logger.warn(`Waiting for ${error.server}: ${error.message}`, fields);
      this.lastRefusal = error;
      this.waiting++;
      await delay(this.clock, backoffMs(BACKOFF, attempt, this.ids.random()), this.stop);
      this.waiting--;
      if (this.stop.aborted) throw error;
      try {
        const answer = await call();
        if (this.waiting === 0) this.lastRefusal = undefined;
        return answer;
      } catch (again) {
        error = again;
      }
    }
  }
}
