import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { DrainTimeoutError } from '../core/errors.js';
import type { Logger } from '../ports/logger.js';
import { EngineHost } from './engine-host.js';
import { FlowcraftWorker } from './flowcraft-worker.js';
import { ShutdownHookCheck } from './shutdown-hook-check.js';
import { SweepSchedule } from './sweep-schedule.js';
import { FLOWCRAFT_LOGGER } from './tokens.js';

/**
 * Starts the worker as the last thing when the application starts and drains it as the first thing when it closes:
 * nodes execute only while all providers work.
 */
@Injectable()
export class WorkerLifecycle implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  constructor(
    private readonly host: EngineHost,
    private readonly worker: FlowcraftWorker,
    private readonly schedule: SweepSchedule,
    private readonly hookCheck: ShutdownHookCheck,
    @Inject(FLOWCRAFT_LOGGER) private readonly logger: Logger,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.orClose(() => this.host.ready());
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.orClose(async () => {
      if (this.worker.isExpected && this.worker.state === 'stopped') await this.worker.start();
      this.schedule.start();
    });
    if (this.worker.isEnabled) this.hookCheck.start();
  }

  /** Each step is made even if one before it fails: nodes must not run on, nor connections stay open. */
  async onModuleDestroy(): Promise<void> {
    await this.step('The check for shutdown hooks did not end.', () => this.hookCheck.stop());
    await this.step('The schedule of the sweep did not end.', () => this.schedule.stop());
    // the engine's own: what stands in for FlowcraftWorker in a test need not know how to drain
    await this.step('The worker did not drain; what it was executing is executed again by another.', () =>
      this.host.engine?.worker.drain(),
    );
    // requests that wait for a run would hold up the closing of an HTTP server
    await this.step('Who waits for a run could not be told of the end.', () => this.host.engine?.endWaits());
  }

  private async step(failed: string, work: () => unknown): Promise<void> {
    try {
      await work();
    } catch (error) {
      // Nest goes on closing whatever is thrown here; the timeout was logged with the nodes that did not end
      if (!(error instanceof DrainTimeoutError)) this.logger.error(failed, { error });
    }
  }

  /** An application that does not start is not always closed, and open connections would keep its process alive. */
  private async orClose(start: () => Promise<unknown>): Promise<void> {
    try {
      await start();
    } catch (error) {
      await this.onModuleDestroy();
      await this.step('The connections did not close.', () => this.host.close());
      throw error;
    }
  }
}
