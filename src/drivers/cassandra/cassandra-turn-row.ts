import type { types } from 'cassandra-driver';
import { givenBy } from '../../core/given-values.js';
import type { TurnRecord, TurnStatus } from '../../core/run.js';
import type { StoredValue } from '../../ports/run-store.js';
import { millisecondsOf, numberOf, type Stamp } from './cassandra-session.js';

/** What people never filter by: one column of JSON. Its `action` is the exact one; the column is for people. */
type Detail = Pick<
  TurnRecord,
  | 'passes'
  | 'action'
  | 'taken'
  | 'rescuer'
  | 'rescuedAdded'
  | 'dynamicNodes'
  | 'batch'
  | 'gather'
  | 'writes'
  | 'inputsWritten'
  | 'gives'
  | 'error'
  | 'awaiting'
>;

/** Every column of a row, in the order of `turnParams`. The output comes last, so that it can be left out. */
export const TURN_COLUMNS = [
  'node_id',
  'turn',
  'fencing_token',
  'status',
  'action',
  'worker',
  'attempts',
  'claims',
  'started_at',
  'ended_at',
  'error',
  'detail',
  'output',
] as const;

/** The run, the columns, and the stamp of the write. No column is ever null: see the schema. An empty text stands for what is absent. */
export function turnParams(runId: string, record: TurnRecord, stamp: Stamp): unknown[] {
  const { passes, action, taken, rescuer, rescuedAdded, dynamicNodes, batch, gather, writes, inputsWritten } = record;
  const { gives, error, awaiting } = record;
  const detail: Detail = {
    passes,
    taken,
    writes,
    inputsWritten,
    gives,
    action,
    rescuer,
    rescuedAdded,
    dynamicNodes,
    batch,
    gather,
    error,
    awaiting,
  };
  return [
    runId,
    record.nodeId,
    record.turn,
    stamp,
    record.status,
    action ?? '',
    record.worker,
    record.attempts,
    record.claims,
    record.startedAt,
    record.endedAt,
    error?.message ?? '',
    JSON.stringify(detail),
    record.output ?? '',
    stamp,
  ];
}

export function turnOfRow(row: types.Row): TurnRecord {
  const detail = JSON.parse(String(row['detail'])) as Detail;
  const output = row['output'] as unknown;
  return {
    nodeId: String(row['node_id']),
    turn: String(row['turn']),
    token: numberOf(row['fencing_token']),
    status: String(row['status']) as TurnStatus,
    worker: String(row['worker']),
    attempts: Number(row['attempts']),
    claims: Number(row['claims']),
    startedAt: millisecondsOf(row['started_at']),
    endedAt: millisecondsOf(row['ended_at']),
    ...detail,
    ...(typeof output === 'string' && output !== '' ? { output } : {}),
  };
}

/** What `givenByRow` reads of a row. */
export const GIVER_COLUMNS = ['node_id', 'turn', 'fencing_token', 'detail', 'output'] as const;

export function givenByRow(row: types.Row): StoredValue[] {
  const { gives } = JSON.parse(String(row['detail'])) as Detail;
  if (!gives) return [];
  const [nodeId, turn, output] = [String(row['node_id']), String(row['turn']), String(row['output'])];
  return givenBy({ nodeId, turn, token: numberOf(row['fencing_token']), output, gives });
}
