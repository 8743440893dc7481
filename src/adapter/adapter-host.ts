import { backoffMs, type Backoff } from '../core/backoff.js';
import { ConfigurationError, IllegalStateError } from '../core/errors.js';
import { delay, type Clock, type Ids } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';
import type { AdapterEngine, AdapterSession } from './adapter-session.js';

const START_BACKOFF: Backoff = { firstMs: 1000, maxMs: 15_000 };
/** An adapter that does not work lets go of its connections so long after it was used, so that a script can end. */
const LINGER_MS = 1000;

export interface HostEnvironment {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
}

/** What an adapter needs of whoever owns its engine. */
export type SessionHost = Pick<AdapterHost, 'start' | 'ready' | 'use' | 'stop'>;

/**
 * Owns an adapter's session: there is one from `start` to `stop`, and on an adapter that was not started for as long as
 * something uses it.
 */
export class AdapterHost {
  private session: AdapterSession | undefined;
  private users = 0;
  private cancelLinger: (() => void) | undefined;
  private starting: { readonly done: Promise<void>; readonly abort: AbortController; isReady: boolean } | undefined;
  private ending: Promise<void> | undefined;

  constructor(
    private readonly create: () => AdapterSession,
    private readonly environment: HostEnvironment,
  ) {}

  get isStarted(): boolean {
    return this.starting !== undefined;
  }

  /** Starts the worker in the background, and does not give up. @throws IllegalStateError while it stops */
  start(): void {
    this.assertNotEnding();
    if (this.starting) return;
    const abort = new AbortController();
    const done = this.launch(this.take(), abort.signal);
    const starting = { done, abort, isReady: false };
    this.starting = starting;
    done.then(
      () => (starting.isReady = true),
      (error: unknown) => {
        if (!abort.signal.aborted) this.environment.logger.error('The worker cannot start.', { error });
      },
    );
  }

  /** Resolves when the worker takes jobs. @throws IllegalStateError before `start`, or if `stop` comes first */
  ready(): Promise<void> {
    if (this.starting) return this.starting.done;
    return Promise.reject(new IllegalStateError('The adapter is not started. Call start() first.'));
  }

  /** Runs `work` with an open session. */
  async use<T>(work: (session: AdapterEngine) => Promise<T>): Promise<T> {
    this.assertNotEnding();
    const session = this.take();
    this.users++;
    try {
      await session.open();
      return await work(session);
    } finally {
      if (--this.users === 0 && !this.starting) this.linger();
    }
  }

  /** @throws DrainTimeoutError */
  stop(): Promise<void> {
    this.ending ??= this.end().finally(() => (this.ending = undefined));
    return this.ending;
  }

  private async end(): Promise<void> {
    const { session, starting } = this;
    this.cancelLinger?.();
    this.session = undefined;
    this.starting = undefined;
    starting?.abort.abort();
    if (starting && !starting.isReady) {
      await session?.drivers.close(); // what is connecting stops trying
      await Promise.allSettled([starting.done]);
    }
    await session?.close();
  }

  private take(): AdapterSession {
    this.cancelLinger?.();
    this.cancelLinger = undefined;
    return (this.session ??= this.create());
  }

  private async launch(session: AdapterSession, stopping: AbortSignal): Promise<void> {
    const { clock, ids, logger } = this.environment;
    for (let attempt = 0; ; attempt++) {
      try {
        await session.open();
        await session.work();
        return;
      } catch (error) {
        // waiting changes nothing about wrong options
        if (error instanceof ConfigurationError && !stopping.aborted) throw error;
        if (!stopping.aborted) {
          const why = error instanceof Error ? error.message : String(error);
          logger.error(`The worker could not start and tries again: ${why}`, { attempt: attempt + 1 });
          await delay(clock, backoffMs(START_BACKOFF, attempt, ids.random()), stopping);
        }
        if (stopping.aborted)
          throw new IllegalStateError('The adapter was stopped before its worker was ready.', { cause: error });
      }
    }
  }

  private linger(): void {
    const { clock, logger } = this.environment;
    this.cancelLinger = clock.after(LINGER_MS, () => {
      const { session } = this;
      this.session = undefined;
      session?.close().catch((error: unknown) => logger.error('The adapter did not close.', { error }));
    });
  }

  private assertNotEnding(): void {
    if (this.ending) throw new IllegalStateError('The adapter is stopping. Wait for stop() first.');
  }
}
