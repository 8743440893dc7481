import { Inject, Injectable } from '@nestjs/common';
import type { Clock } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';
import { FLOWCRAFT_CLOCK, FLOWCRAFT_LOGGER } from './tokens.js';

/** Shutdown hooks are often enabled only after the application was made. */
const CHECK_AFTER_MS = 10_000;

/** Nest runs no hook on SIGTERM unless told to, and the worker would die in the middle of its nodes: warns of that. */
@Injectable()
export class ShutdownHookCheck {
  private cancel: (() => void) | undefined;

  constructor(
    @Inject(FLOWCRAFT_CLOCK) private readonly clock: Clock,
    @Inject(FLOWCRAFT_LOGGER) private readonly logger: Logger,
  ) {}

  start(): void {
    this.cancel = this.clock.after(CHECK_AFTER_MS, () => {
      if (process.listenerCount('SIGTERM') > 0) return;
      this.logger.warn(
        'Nothing handles SIGTERM, so the worker is cut off when the process is told to stop, and its nodes are executed again elsewhere. Call app.enableShutdownHooks().',
      );
    });
  }

  stop(): void {
    this.cancel?.();
  }
}
