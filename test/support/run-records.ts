import { randomUUID } from 'node:crypto';
import type { RunRecord } from '../../src/core/run.js';

/** A running run with the fields of no interest filled in. */
export function runRecord(fields: Partial<RunRecord> = {}): RunRecord {
  return {
    runId: `run-${randomUUID()}`,
    blueprintId: 'diamond',
    blueprintVersion: '1.2.0',
    blueprintHash: 'a'.repeat(64),
    input: '{}',
    inputHash: 'b'.repeat(64),
    tags: [],
    createdAt: Date.now(),
    status: 'running',
    ...fields,
  };
}
