import type { Random } from './random.js';
import type { SimulatedProcess } from './process.js';

export type Server = 'kafka' | 'cassandra' | 'redis';

/** One call of a process to a server. */
export interface Step {
  readonly process: SimulatedProcess;
  readonly server: Server;
  readonly method: string;
  readonly args: readonly unknown[];
}

/**
 * What becomes of a call. `answered`: the server serves it after `ms`. `refused`: it rejects after `ms` and never
 * reached the server. `unanswered`: it was served, but rejects. `late`: it rejects after `ms` and is served only
 * `laterMs` after that, whatever became of its process.
 */
export type Fate =
  | { readonly kind: 'answered' | 'refused' | 'unanswered'; readonly ms: number }
  | { readonly kind: 'late'; readonly ms: number; readonly laterMs: number };

/** Decides what becomes of each call, and how long messages between the processes are on their way. */
export interface Network {
  send(step: Step): Fate;
  /** Milliseconds until a fetched message reaches the handler. */
  delivery(process: SimulatedProcess): number;
  /** Milliseconds until an announcement arrives; undefined if it is lost. */
  announcement(process: SimulatedProcess): number | undefined;
}

/** All calls are served, in any order. */
export class CalmNetwork implements Network {
  constructor(
    private readonly random: Random,
    private readonly longestMs = 4,
  ) {}

  send(_step: Step): Fate {
    return { kind: 'answered', ms: this.ms() };
  }

  delivery(): number {
    return this.ms();
  }

  announcement(): number | undefined {
    return this.ms();
  }

  private ms(): number {
    return this.random.between(0.05, this.longestMs);
  }
}
