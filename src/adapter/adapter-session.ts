import type { ServerDrivers } from '../composition/server-drivers.js';
import { ConfigurationError } from '../core/errors.js';
import type { Engine } from '../engine/engine.js';
import type { Clock } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';
import { PeriodicSweep } from './periodic-sweep.js';

/** The engine of an adapter and its servers. */
export interface AdapterEngine {
  readonly engine: Engine;
  readonly drivers: ServerDrivers;
  readonly logger: Logger;
}

/** One life of an adapter's engine: opened when something needs it, and of no more use once it is closed. */
export class AdapterSession implements AdapterEngine {
  private opening: Promise<void> | undefined;
  private readonly sweep: PeriodicSweep;

  constructor(
    readonly engine: Engine,
    readonly drivers: ServerDrivers,
    readonly logger: Logger,
    clock: Clock,
  ) {
    this.sweep = new PeriodicSweep(engine.reconciler, clock, logger);
  }

  /** Connects and provisions; those who come meanwhile share the attempt. After a failure it may be tried again. */
  open(): Promise<void> {
    this.opening ??= this.connect().catch((error: unknown) => {
      this.opening = undefined;
      throw error instanceof ConfigurationError ? error.about('KafkaAdapter') : error;
    });
    return this.opening;
  }

  /** Begins to take jobs, in an open session. */
  async work(): Promise<void> {
    await this.engine.worker.start();
    this.sweep.start();
  }

  /**
   * Ends the work in flight and closes what is the session's own.
   * @throws DrainTimeoutError, after everything is closed
   */
  async close(): Promise<void> {
    this.sweep.stop();
    try {
      await this.engine.worker.drain();
    } finally {
      this.engine.close();
      await this.drivers.close();
    }
  }

  private async connect(): Promise<void> {
    await this.drivers.connect();
    this.engine.open();
  }
}
