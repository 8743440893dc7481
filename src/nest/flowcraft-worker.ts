import { Inject, Injectable } from '@nestjs/common';
import type { WorkerState } from '../engine/worker.js';
import type { ConsumerState } from '../ports/job-queue.js';
import { EngineHost } from './engine-host.js';
import type { FlowcraftSettings } from './settings.js';
import { FLOWCRAFT_SETTINGS } from './tokens.js';

/** A node that executes in this process. */
export interface RunningNode {
  readonly runId: string;
  readonly nodeId: string;
  readonly turn: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/**
 * The worker of this process. It starts when the application has started and drains as the first thing when the
 * application closes, while all providers still work.
 */
@Injectable()
export class FlowcraftWorker {
  /** Holds secrets, which nobody sees who looks at this object. */
  readonly #settings: FlowcraftSettings;

  constructor(
    @Inject(FLOWCRAFT_SETTINGS) settings: FlowcraftSettings,
    private readonly host: EngineHost,
  ) {
    this.#settings = settings;
  }

  /** `worker.enabled`. */
  get isEnabled(): boolean {
    return this.#settings.worker.enabled;
  }

  /** Whether the worker starts with the application. */
  get isExpected(): boolean {
    return this.isEnabled && this.#settings.worker.autoStart;
  }

  /** Names this process in the fleet. Undefined before the application has started. */
  get id(): string | undefined {
    return this.host.engine?.worker.id;
  }

  /** `failed`: the drain ran into `worker.drainTimeoutMs`. */
  get state(): WorkerState {
    return this.host.engine?.worker.state ?? 'stopped';
  }

  /** What its Kafka consumer does; undefined while there is none. */
  get consumerState(): ConsumerState | undefined {
    return this.host.engine?.worker.consumerState;
  }

  /** How often its Kafka consumer had to be made anew since the start, because it had crashed or fallen silent. */
  get consumerRestarts(): number {
    return this.host.engine?.worker.consumerRestarts ?? 0;
  }

  /** The nodes that execute now. */
  get running(): readonly RunningNode[] {
    return this.host.engine?.worker.running ?? [];
  }

  /**
   * Begins to take jobs; needed only with `worker.autoStart: false`.
   * @throws IllegalStateError unless the worker is enabled and stopped
   */
  async start(): Promise<void> {
    await this.host.startWorker();
  }

  /**
   * Takes no further job, and resolves when the nodes that execute have ended. There is no way back: start another
   * process.
   * @throws DrainTimeoutError after `worker.drainTimeoutMs`; what did not end is executed again by another worker
   */
  async drain(): Promise<void> {
    await this.host.engine?.worker.drain();
  }
}
