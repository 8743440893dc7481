import type { RunStore } from '../../src/ports/run-store.js';

/** What a run store's author gives to the contract. */
export interface RunStoreBench {
  /** Connected and provisioned. The tests use run ids of their own, so it may hold other runs. */
  readonly store: RunStore;
  close(): Promise<void>;
  /** Writes the row that a foreign client writes before its first job: the run's context as JSON. */
  writeForeign(runId: string, data: string): Promise<void>;
}

export type OpenRunStore = () => Promise<RunStoreBench>;

export const STORE_TIMEOUT_MS = 60_000;

/** A stamp as tokens are: microseconds since 1970, and so much later. */
export function stamp(later = 0): number {
  return FIRST_STAMP + later;
}

const FIRST_STAMP = Date.now() * 1000;
