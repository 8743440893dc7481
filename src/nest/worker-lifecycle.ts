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

  async onModuleDestroy(): Promise<void> {
    this.hookCheck.stop();
    await this.schedule.stop();
    try {
      await this.worker.drain();
    } catch (error) {
      // Nest goes on closing whatever is thrown here; the timeout was logged with the nodes that did not end
      if (!(error instanceof DrainTimeoutError))
        this.logger.error('The worker did not drain; what it was executing is executed again by another.', { error });
    }
    // requests that wait for a run would hold up the closing of an HTTP server
    this.host.engine?.endWaits();
  }

  /** An application that does not start is not always closed, and open connections would keep its process alive. */
  private async orClose(start: () => Promise<unknown>): Promise<void> {
    try {
      await start();
    } catch (error) {
      await this.onModuleDestroy();
      await this.host.close();
      throw error;
    }
  }
}
