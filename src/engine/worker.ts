import { DrainTimeoutError, IllegalStateError, UnavailableError } from '../core/errors.js';
import { delay, type Clock } from '../ports/clock.js';
import type { JobConsumer, JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';
import type { Activity } from './activity.js';
import type { EngineOptions } from './engine-options.js';
import type { EngineJobHandler } from './job-handler.js';
import type { LeaseKeeper } from './lease-keeper.js';
import type { TimerKeeper } from './timer-keeper.js';
import type { TurnProcessor } from './turn-processor.js';

/**
 * A worker's life: `stopped` -> `starting` -> `running` -> `draining` -> `drained`. `failed`: the drain ran into its
 * time limit; what was still running will be run again by another worker. From `drained` and `failed` nothing leads on.
 */
export type WorkerState = 'stopped' | 'starting' | 'running' | 'draining' | 'drained' | 'failed';

/** A worker that drains keeps its partitions for so long at most. */
const HAND_OVER_MS = 500;

export interface WorkerParts {
  readonly id: string;
  readonly queue: JobQueue;
  readonly ledger: Ledger;
  readonly handler: EngineJobHandler;
  readonly processor: TurnProcessor;
  readonly leases: LeaseKeeper;
  readonly timers: TimerKeeper;
  readonly activity: Activity;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options: EngineOptions;
  /** Aborted when the drain begins: no node starts any more. */
  readonly stopping: AbortController;
}

export class Worker {
  private current: WorkerState = 'stopped';
  private consumer: JobConsumer | undefined;
  private cancelBeat: (() => void) | undefined;
  private draining: Promise<void> | undefined;

  constructor(private readonly parts: WorkerParts) {}

  get id(): string {
    return this.parts.id;
  }

  get state(): WorkerState {
    return this.current;
  }

  /** What the queue says of its consumer; undefined while there is none. */
  get consumerState(): JobConsumer['state'] | undefined {
    return this.consumer?.state;
  }

  /** How often its consumer had to be made anew. */
  get consumerRestarts(): number {
    return this.consumer?.restarts ?? 0;
  }

  /** Nodes that run in this worker now. */
  get running(): readonly { runId: string; nodeId: string; turn: string; since: number }[] {
    return this.parts.leases.list();
  }

  /**
   * Begins to take jobs. Resolves when the consumer has joined, or without that if the worker is drained meanwhile.
   * @throws IllegalStateError unless the worker is stopped
   */
  async start(): Promise<void> {
    if (this.current !== 'stopped')
      throw new IllegalStateError(`The worker is ${this.current}; only a stopped worker can be started.`);
    this.current = 'starting';
    try {
      await this.enlist();
      if (this.draining) return;
      const consumer = await this.parts.queue.consume(this.parts.handler);
      if (this.draining) return await consumer.stop();
      this.consumer = consumer;
    } catch (error) {
      if (this.draining) throw error;
      this.cancelBeat?.();
      this.cancelBeat = undefined;
      this.current = 'stopped';
      throw error;
    }
    this.current = 'running';
    this.parts.timers.start();
    this.parts.logger.log(`Worker ${this.id} takes jobs.`);
  }

  /** Says from now on that this process lives, so that what it claims is not taken by others, without taking jobs. */
  async enlist(): Promise<void> {
    if (!this.cancelBeat) await this.beat();
  }

  /**
   * Takes no further job, commits what is done, leaves the group, so that others go on at once, and waits for the nodes
   * that run. What did not end in `worker.drainTimeoutMs` is aborted and will be run again; `state` is `failed` then and
   * the error is thrown.
   * @throws DrainTimeoutError
   */
  drain(): Promise<void> {
    this.draining ??= this.drainOnce();
    return this.draining;
  }

  private async drainOnce(): Promise<void> {
    const { processor, leases, timers, activity, clock, logger, options, stopping } = this.parts;
    if (this.current === 'stopped' && !this.cancelBeat) {
      this.current = 'drained';
      stopping.abort();
      return;
    }
    this.current = 'draining';
    await this.consumer?.pause();
    stopping.abort();
    const over = new AbortController();
    const idle = Promise.all([processor.idle(), timers.stop()]).then(() => 'idle' as const);
    const late = delay(clock, options.worker.drainTimeoutMs, over.signal).then(() => 'late' as const);
    // what ends soon leaves nothing uncommitted; while a long node ends, others take the partitions already
    await Promise.race([idle, late, delay(clock, HAND_OVER_MS, over.signal)]);
    const [outcome] = await Promise.all([Promise.race([idle, late]), this.consumer?.stop()]);
    over.abort();
    const unfinished = outcome === 'late' ? leases.list().map((c) => `${c.nodeId} of run ${c.runId}`) : [];
    const error = outcome === 'late' ? new DrainTimeoutError(options.worker.drainTimeoutMs, unfinished) : undefined;
    if (error) leases.abortAll(error);
    this.cancelBeat?.();
    activity.close();
    await this.retire();
    this.current = error ? 'failed' : 'drained';
    if (error) {
      logger.error(error.message, { unfinished });
      throw error;
    }
    logger.log(`Worker ${this.id} has drained.`);
  }

  private async retire(): Promise<void> {
    try {
      await this.parts.ledger.retire(this.id);
    } catch (error) {
      this.parts.logger.debug('The worker could not say that it is gone; its sign of life runs out by itself.', {
        error,
      });
    }
  }

  private async beat(): Promise<void> {
    const { ledger, options, clock, logger } = this.parts;
    try {
      await ledger.beat(this.id, options.worker.livenessMs);
    } catch (error) {
      if (!(error instanceof UnavailableError)) logger.error('The sign of life failed.', { error });
    }
    if (this.current === 'drained' || this.current === 'failed') return;
    this.cancelBeat = clock.after(options.worker.livenessMs / 3, () => void this.beat());
  }
}
