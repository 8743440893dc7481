import { RunTimeoutError, TooManyTurnsError } from '../core/errors.js';
import type { TurnRecord } from '../core/run.js';

export interface NodeError {
  readonly nodeId: string;
  /** Empty if the run was stopped before a turn of the node began: it had too many of them. */
  readonly turn: string;
  /** As flowcraft words it. */
  readonly message: string;
  /** The node's own error. */
  readonly cause?: { readonly name: string; readonly message: string };
  /** ISO 8601. */
  readonly at: string;
}

/** The failures that no fallback rescued, in the order in which they happened. */
export function errorsOf(rows: readonly TurnRecord[]): NodeError[] {
  return rows
    .filter((row) => row.status === 'failed' && row.rescuer === undefined && row.error !== undefined)
    .sort((a, b) => a.token - b.token)
    .map((row) => ({
      nodeId: row.nodeId,
      turn: row.turn,
      message: row.error?.message ?? '',
      ...(row.error?.cause ? { cause: row.error.cause } : {}),
      at: new Date(row.endedAt).toISOString(),
    }));
}

/** A run that reached its limit of turns tells so by its reason alone: the turn that was one too many never began. */
export function runawayIn(reason: string | undefined, endedAt: number): NodeError[] {
  const nodeId = reason === undefined ? undefined : TooManyTurnsError.nodeIn(reason);
  if (reason === undefined || nodeId === undefined) return [];
  const cause = { name: TooManyTurnsError.name, message: reason };
  return [{ nodeId, turn: '', message: reason, cause, at: new Date(endedAt).toISOString() }];
}

/** What a run says that failed by its nodes: the first of their errors, with the words of the node itself. */
export function reasonOf(errors: readonly NodeError[]): string | undefined {
  const [first] = errors;
  if (!first) return undefined;
  const own = first.cause && !tells(first.message, first.cause.message) ? `: ${first.cause.message}` : '';
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  return `${first.message}${own}${more}`;
}

/** Whether a message quotes another: it is the same, or has it after a colon, with nothing behind but what to do next. */
function tells(message: string, cause: string): boolean {
  if (cause === '' || message === cause) return true;
  const at = message.lastIndexOf(`: ${cause}`);
  const rest = message.slice(at + 2 + cause.length);
  return at >= 0 && (rest === '' || (rest.startsWith('. ') && !rest.includes(': ')));
}

/** For the log: not the words of nodes and callers, which may hold payloads. */
export function summaryOf(errors: readonly NodeError[], reason: string | undefined): string {
  if (reason !== undefined && RunTimeoutError.isIn(reason)) return reason;
  const nodes = [...new Set(errors.map((e) => e.nodeId))];
  if (nodes.length === 0) return 'it was ended from outside, and getRun() has the reason.';
  return `${nodes
    .slice(0, 5)
    .map((id) => `'${id}'`)
    .join(', ')}${nodes.length > 5 ? ` and ${nodes.length - 5} more` : ''}.`;
}
