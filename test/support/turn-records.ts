import type { TurnRecord } from '../../src/core/run.js';
import { FIRST_TURN } from '../../src/core/turns.js';

/** A journal row with the fields of no interest filled in. */
export function turnRecord(nodeId: string, fields: Partial<TurnRecord> = {}): TurnRecord {
  return {
    nodeId,
    turn: FIRST_TURN,
    token: 1,
    status: 'completed',
    passes: [],
    taken: [],
    writes: [],
    inputsWritten: [],
    worker: 'w1',
    attempts: 1,
    claims: 1,
    startedAt: 1_700_000_000_000,
    endedAt: 1_700_000_000_001,
    ...fields,
  };
}
