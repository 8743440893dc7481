import type { RetryRecord } from '../core/retry.js';
import { isDelayed, type RunRecord } from '../core/run.js';
import type { StatusWrite } from '../ports/run-store.js';

/** What is written of a run that a retry has opened again, by whoever carries the retry out. `now`: milliseconds. */
export function openedStatus(record: RunRecord, { stamp }: RetryRecord, now: number): StatusWrite {
  return { runId: record.runId, status: isDelayed(record, now * 1000) ? 'awaiting' : 'running', stamp, at: now };
}
