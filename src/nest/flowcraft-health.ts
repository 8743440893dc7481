import { Injectable } from '@nestjs/common';
import type { WorkerState } from '../engine/worker.js';
import type { ConsumerState } from '../ports/job-queue.js';
import { EngineHost } from './engine-host.js';
import { FlowcraftWorker } from './flowcraft-worker.js';

export interface FlowcraftHealthReport {
  /**
   * `up`: everything works. `degraded`: a server does not answer, or the consumer is between two assignments; it goes
   * on by itself. `down`: this process executes nothing, though it should.
   */
  readonly status: 'up' | 'degraded' | 'down';
  readonly worker: {
    readonly isEnabled: boolean;
    readonly state: WorkerState;
    readonly id?: string;
    /** How many nodes execute now. */
    readonly running: number;
  };
  /** Absent while there is no consumer. */
  readonly consumer?: ConsumerState;
  /** How often the consumer had to be made anew since the start. One that grows is a reason to look into the log. */
  readonly consumerRestarts: number;
  /** How many calls wait for a server to come back. */
  readonly waitingForServers: number;
}

/** Tells how this process is, from what it knows: no server is asked, so it may be called often. */
@Injectable()
export class FlowcraftHealth {
  constructor(
    private readonly host: EngineHost,
    private readonly worker: FlowcraftWorker,
  ) {}

  check(): FlowcraftHealthReport {
    const { isEnabled, state, id, running, consumerState, consumerRestarts } = this.worker;
    const waitingForServers = this.host.engine?.persistence.waiting ?? 0;
    return {
      status: this.isDown ? 'down' : waitingForServers > 0 || this.isUnsettled ? 'degraded' : 'up',
      worker: { isEnabled, state, running: running.length, ...(id === undefined ? {} : { id }) },
      ...(consumerState === undefined ? {} : { consumer: consumerState }),
      consumerRestarts,
      waitingForServers,
    };
  }

  private get isDown(): boolean {
    if (!this.host.engine || this.host.isClosed) return true;
    const { state, isEnabled, isExpected } = this.worker;
    if (!isEnabled || (state === 'stopped' && !isExpected)) return false;
    return state !== 'running' && state !== 'starting';
  }

  private get isUnsettled(): boolean {
    const { state, consumerState } = this.worker;
    return state === 'starting' || (state === 'running' && consumerState !== 'consuming');
  }
}
