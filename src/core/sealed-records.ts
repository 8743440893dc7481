import type { NodeDefinition } from 'flowcraft';
import type { ContextRow } from './context-view.js';
import type { RetryRecord } from './retry.js';
import type { ErrorRecord, RunRecord, TurnName, TurnRecord } from './run.js';
import type { Cell, ValueCipher } from './value-cipher.js';
import type { WebhookCall } from './webhook.js';

/**
 * Which parts of what is stored are encrypted: all that can hold values of a context. Ids, keys, statuses, actions, tags
 * and times stay readable, since they are what is looked for.
 */

/** A context value, as it is read or written. */
type Value = Pick<ContextRow, 'key' | 'value' | 'ref'>;

export function sealRun(cipher: ValueCipher, run: RunRecord): RunRecord {
  if (!cipher.isOn) return run;
  return mapRun(run, (cell, text) => cipher.encrypt(cell, text));
}

export function openRun(cipher: ValueCipher, run: RunRecord): RunRecord {
  return mapRun(run, (cell, text) => cipher.decrypt(cell, text));
}

export function sealEndReason(cipher: ValueCipher, runId: string, reason: string | undefined): string | undefined {
  return reason === undefined ? undefined : cipher.encrypt({ runId, kind: 'end' }, reason);
}

export function sealValue<T extends Value>(cipher: ValueCipher, runId: string, value: T): T {
  if (!cipher.isOn || value.value === undefined) return value;
  return { ...value, value: cipher.encrypt(valueCell(runId, value), value.value) };
}

export function openValue<T extends Value>(cipher: ValueCipher, runId: string, value: T): T {
  if (value.value === undefined) return value;
  const text = value.ref
    ? openOutput(cipher, runId, { ...value.ref, output: value.value })
    : cipher.decrypt(valueCell(runId, value), value.value);
  return text === value.value ? value : { ...value, value: text };
}

export function sealTurn(cipher: ValueCipher, runId: string, turn: TurnRecord): TurnRecord {
  if (!cipher.isOn) return turn;
  const { output, error, dynamicNodes } = turn;
  const cell = cellOf(runId, turn);
  return {
    ...turn,
    ...(output === undefined ? {} : { output: cipher.encrypt(cell('output'), output) }),
    ...(error ? { error: mapError(error, (kind, text) => cipher.encrypt(cell(kind), text)) } : {}),
    ...(dynamicNodes
      ? { dynamicNodes: [sealedNodes(cipher.encrypt(cell('nodes'), JSON.stringify(dynamicNodes)))] }
      : {}),
  };
}

export function openTurn(cipher: ValueCipher, runId: string, turn: TurnRecord): TurnRecord {
  const { error, dynamicNodes } = turn;
  if (!cipher.isOn && turn.output === undefined && !error && !dynamicNodes) return turn;
  const cell = cellOf(runId, turn);
  return {
    ...turn,
    ...(turn.output === undefined ? {} : { output: openOutput(cipher, runId, { ...turn, output: turn.output }) }),
    ...(error ? { error: mapError(error, (kind, text) => cipher.decrypt(cell(kind), text)) } : {}),
    ...(dynamicNodes ? { dynamicNodes: openNodes(cipher, cell('nodes'), dynamicNodes) } : {}),
  };
}

export function openOutput(cipher: ValueCipher, runId: string, turn: TurnName & { output: string }): string {
  return cipher.decrypt(cellOf(runId, turn)('output'), turn.output);
}

/** The row of statuses holds a result and a reason, both made of values and of what nodes say. */
export function sealStatus<T extends StatusTexts>(cipher: ValueCipher, runId: string, row: T): T {
  return cipher.isOn ? mapStatus(row, (kind, text) => cipher.encrypt({ runId, kind }, text)) : row;
}

export function openStatus<T extends StatusTexts>(cipher: ValueCipher, runId: string, row: T): T {
  return mapStatus(row, (kind, text) => cipher.decrypt({ runId, kind }, text));
}

interface StatusTexts {
  readonly result?: string;
  readonly reason?: string;
}

export function sealCall(cipher: ValueCipher, call: WebhookCall): WebhookCall {
  return cipher.isOn ? { ...call, output: cipher.encrypt(callCell(call), call.output) } : call;
}

export function openCall(cipher: ValueCipher, call: WebhookCall): WebhookCall {
  return { ...call, output: cipher.decrypt(callCell(call), call.output) };
}

export function sealRetry(cipher: ValueCipher, runId: string, retry: RetryRecord): RetryRecord {
  return cipher.isOn ? mapRetry(runId, retry, (cell, text) => cipher.encrypt(cell, text)) : retry;
}

function mapRetry(runId: string, retry: RetryRecord, map: (cell: Cell, text: string) => string): RetryRecord {
  const patch = Object.entries(retry.patch).map(
    ([key, value]) => [key, map(valueCell(runId, { key }), value)] as const,
  );
  return { ...retry, patch: Object.fromEntries(patch) };
}

function mapRun(run: RunRecord, map: (cell: Cell, text: string) => string): RunRecord {
  const { runId, input, inputHash, reason, retry } = run;
  return {
    ...run,
    input: map({ runId, kind: 'input' }, input),
    // of a short input the hash tells as much as the input
    inputHash: map({ runId, kind: 'inputHash' }, inputHash),
    ...(reason === undefined ? {} : { reason: map({ runId, kind: 'end' }, reason) }),
    ...(retry ? { retry: mapRetry(runId, retry, map) } : {}),
  };
}

function mapStatus<T extends StatusTexts>(row: T, map: (kind: 'result' | 'reason', text: string) => string): T {
  return {
    ...row,
    ...(row.result === undefined ? {} : { result: map('result', row.result) }),
    ...(row.reason === undefined ? {} : { reason: map('reason', row.reason) }),
  };
}

function mapError(error: ErrorRecord, map: (kind: 'error' | 'cause', text: string) => string): ErrorRecord {
  const { message, cause } = error;
  return {
    ...error,
    message: map('error', message),
    ...(cause ? { cause: { ...cause, message: map('cause', cause.message) } } : {}),
  };
}

/** Dynamic nodes have params: all of them are one text, which stands in a list as a node that there can't be. */
function sealedNodes(text: string): NodeDefinition {
  return { id: '', uses: text };
}

function openNodes(cipher: ValueCipher, cell: Cell, nodes: readonly NodeDefinition[]): readonly NodeDefinition[] {
  const [first] = nodes;
  if (first?.id === '') return JSON.parse(cipher.decrypt(cell, first.uses)) as NodeDefinition[];
  if (!cipher.isOn) return nodes;
  // as if it were a text that is not encrypted, which may be refused
  return JSON.parse(cipher.decrypt(cell, JSON.stringify(nodes))) as NodeDefinition[];
}

function callCell({ runId, nodeId, turn, id }: WebhookCall): Cell {
  return { runId, kind: 'call', key: [nodeId, turn, id] };
}

function valueCell(runId: string, { key }: Value): Cell {
  return { runId, kind: 'value', key: [key] };
}

function cellOf(runId: string, { nodeId, turn }: TurnName): (kind: Cell['kind']) => Cell {
  return (kind) => ({ runId, kind, key: [nodeId, turn] });
}
