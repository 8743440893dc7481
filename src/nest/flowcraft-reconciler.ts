import { Inject, Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { DEFAULT_OPTIONS } from '../composition/default-options.js';
import type { ReconciliationStats } from '../engine/reconciler.js';
import type { Logger } from '../ports/logger.js';
import { EngineHost } from './engine-host.js';
import { FLOWCRAFT_LOGGER } from './tokens.js';

/** The name of the sweep's cron job in Nest's SchedulerRegistry. */
export const RECONCILER_CRON_NAME = 'flowcraft-reconciler';

/**
 * Finds runs that make no progress and asks them to go on. Sweeps by itself at the times of `reconciler.cron`, driven by
 * the application's ScheduleModule, or by a timer of its own where there is none.
 */
@Injectable()
export class FlowcraftReconciler {
  private sweeping: Promise<ReconciliationStats> | undefined;
  private isByClock = false;

  constructor(
    private readonly host: EngineHost,
    @Inject(FLOWCRAFT_LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * One sweep. A call during a sweep shares it; while another process of the fleet sweeps, nothing is found.
   * @throws UnavailableError if a server does not answer
   */
  async run(): Promise<ReconciliationStats> {
    // which leaves it to another process if that sweeps by the clock
    while (this.sweeping && this.isByClock) await this.idle();
    return this.share(false);
  }

  /** A sweep by the clock: what goes wrong is logged, and the next one tries again. Its times are set at start. */
  @Cron(DEFAULT_OPTIONS.reconciler.cron, { name: RECONCILER_CRON_NAME, disabled: true })
  async tick(): Promise<void> {
    if (this.sweeping || this.host.isClosed) return;
    try {
      await this.share(true);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.logger.error(`The sweep failed; the next one tries again: ${why}`, { error });
    }
  }

  /** Resolves when no sweep is under way. */
  async idle(): Promise<void> {
    await Promise.allSettled([this.sweeping]);
  }

  private share(byClock: boolean): Promise<ReconciliationStats> {
    if (this.sweeping) return this.sweeping;
    this.isByClock = byClock;
    this.sweeping = this.sweep(byClock).finally(() => (this.sweeping = undefined));
    return this.sweeping;
  }

  private async sweep(byClock: boolean): Promise<ReconciliationStats> {
    return (await this.host.ready()).reconciler.sweep(undefined, { byClock });
  }
}
