import type { EndStatus } from '../core/run.js';

export interface RunEnd {
  readonly runId: string;
  readonly status: EndStatus | 'awaiting';
}

/**
 * Announcements to whoever listens now, anywhere in the fleet. Lossy: those who must know also ask the store now and
 * then.
 */
export interface RunSignals {
  connect(): Promise<void>;
  close(): Promise<void>;
  announceEnd(end: RunEnd): Promise<void>;
  /** The returned function ends the subscription. */
  onEnd(listener: (end: RunEnd) => void): () => void;
  announceCancel(runId: string): Promise<void>;
  onCancel(listener: (runId: string) => void): () => void;
  /** Announcements are heard again, and some may have been missed: the server was away, as far as that is noticed. */
  onGap(listener: () => void): () => void;
}
