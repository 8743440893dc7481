import { IllegalStateError } from '../../core/errors.js';
import type { Logger } from '../../ports/logger.js';
import type { RunEnd, RunSignals } from '../../ports/run-signals.js';
import { deferToNextTurn, type Defer } from './defer.js';

type Signal = { readonly end: RunEnd } | { readonly cancel: string };

/** What carries the announcements: share one among the signals of several workers of a process. */
export class MemorySignalBus {
  readonly members = new Set<(signal: Signal) => void>();

  constructor(private readonly defer: Defer = deferToNextTurn) {}

  /** Reaches those who listen when it arrives. */
  send(signal: Signal): void {
    this.defer(() => {
      for (const member of [...this.members]) member(signal);
    });
  }
}

export class MemoryRunSignals implements RunSignals {
  private readonly ends = new Set<(end: RunEnd) => void>();
  private readonly cancels = new Set<(runId: string) => void>();
  private connected = false;

  constructor(
    private readonly bus: MemorySignalBus,
    private readonly logger: Logger,
  ) {}

  async connect(): Promise<void> {
    this.connected = true;
    this.bus.members.add(this.receive);
  }

  async close(): Promise<void> {
    this.connected = false;
    this.bus.members.delete(this.receive);
    this.ends.clear();
    this.cancels.clear();
  }

  async announceEnd(end: RunEnd): Promise<void> {
    this.send({ end });
  }

  async announceCancel(runId: string): Promise<void> {
    this.send({ cancel: runId });
  }

  onEnd(listener: (end: RunEnd) => void): () => void {
    return subscribe(this.ends, listener);
  }

  onCancel(listener: (runId: string) => void): () => void {
    return subscribe(this.cancels, listener);
  }

  /** There is no server that could be away. */
  onGap(): () => void {
    return () => {};
  }

  private send(signal: Signal): void {
    if (!this.connected) {
      throw new IllegalStateError(
        'The run signals are not connected. Call connect() first, and announce nothing after close().',
      );
    }
    this.bus.send(signal);
  }

  private readonly receive = (signal: Signal): void => {
    if ('end' in signal) for (const listener of [...this.ends]) this.guard(() => listener({ ...signal.end }));
    else for (const listener of [...this.cancels]) this.guard(() => listener(signal.cancel));
  };

  /** A listener that throws must not keep the others from hearing. */
  private guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.logger.error('A listener of run signals threw.', { error });
    }
  }
}

/** The same function may listen twice: each subscription ends by itself. */
function subscribe<T>(listeners: Set<(event: T) => void>, listener: (event: T) => void): () => void {
  const own = (event: T) => listener(event);
  listeners.add(own);
  return () => {
    listeners.delete(own);
  };
}
