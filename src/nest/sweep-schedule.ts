import { Inject, Injectable, Optional } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import type { Clock } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';
import { cronTime, type CronTime } from './cron-time.js';
import { FlowcraftReconciler, RECONCILER_CRON_NAME } from './flowcraft-reconciler.js';
import type { FlowcraftSettings } from './settings.js';
import { FLOWCRAFT_CLOCK, FLOWCRAFT_LOGGER, FLOWCRAFT_SETTINGS } from './tokens.js';

type CronJob = ReturnType<SchedulerRegistry['getCronJob']>;

/**
 * Makes the reconciler sweep at the configured times. The module never imports ScheduleModule itself: a second one in
 * an application would run all of its cron jobs twice.
 */
@Injectable()
export class SweepSchedule {
  private job: CronJob | undefined;
  private cancelTimer: (() => void) | undefined;
  private ticking: Promise<void> | undefined;

  /** Holds secrets, which nobody sees who looks at this object. */
  readonly #settings: FlowcraftSettings;

  constructor(
    @Inject(FLOWCRAFT_SETTINGS) settings: FlowcraftSettings,
    @Inject(FLOWCRAFT_CLOCK) private readonly clock: Clock,
    @Inject(FLOWCRAFT_LOGGER) private readonly logger: Logger,
    private readonly reconciler: FlowcraftReconciler,
    @Optional() @Inject(SchedulerRegistry) private readonly registry?: SchedulerRegistry,
  ) {
    this.#settings = settings;
  }

  /** Call it when ScheduleModule has mounted its jobs. */
  start(): void {
    const { enabled, cron } = this.#settings.reconciler;
    if (!enabled) return;
    if (this.registry?.doesExist('cron', RECONCILER_CRON_NAME)) {
      this.job = this.registry.getCronJob(RECONCILER_CRON_NAME);
      // the parser's class by way of the job, which accepts no other copy's
      const CronTimeOfJob = this.job.cronTime.constructor as new (expression: string) => CronJob['cronTime'];
      this.job.setTime(new CronTimeOfJob(cron));
      this.job.start();
      return;
    }
    const { time, missing } = cronTime(cron);
    const times = missing === undefined ? `at '${cron}'` : 'every minute, since there is no parser for reconciler.cron';
    this.logger.log(
      `The application has no ScheduleModule with cron jobs: the sweep for stalled runs keeps its own time, ${times}.`,
      { error: missing },
    );
    this.next(time);
  }

  /** Ends the schedule, and resolves when the sweep that is under way has ended. */
  async stop(): Promise<void> {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    await this.job?.stop();
    await this.ticking;
    await this.standIn.idle?.();
  }

  /** What stands in for the reconciler in a test may have `run` only. */
  private get standIn(): Partial<FlowcraftReconciler> {
    return this.reconciler;
  }

  private next(time: CronTime): void {
    this.cancelTimer = this.clock.after(time.getTimeout(), () => {
      this.next(time);
      this.ticking = this.tick();
    });
  }

  /** Never rejects, whatever stands in for the reconciler: nobody would hear of it. */
  private async tick(): Promise<void> {
    try {
      await (this.standIn.tick ? this.standIn.tick() : this.reconciler.run());
    } catch (error) {
      this.logger.error('The sweep failed; the next one tries again.', { error });
    }
  }
}
