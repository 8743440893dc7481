import { createHash } from 'node:crypto';
import type { TurnName, TurnRecord } from './run.js';
import { isRetry } from './run.js';

/**
 * An address at which the outside world answers one turn of one node. Its token is told once, to whoever asked for it;
 * what is kept is a hash.
 */
export interface WebhookRecord extends TurnName {
  /** SHA-256 of the token, as hexadecimal digits. */
  readonly hash: string;
  readonly runId: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** A call that came before its turn began to wait, kept until then. There is one for a turn at most. */
export interface WebhookCall extends TurnName {
  readonly runId: string;
  /** Tells the call from others to the same turn. */
  readonly id: string;
  /** What the node's output will be, serialized. */
  readonly output: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export function hashOfToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** The event by which flowcraft names the calls to a webhook node. */
export function eventOfWebhook(nodeId: string): string {
  return `webhook:${nodeId}`;
}

/** Whether a turn waits for something that a call can bring: not for a time, its next attempt or a subflow. */
export function isAnswerable(row: TurnRecord | undefined): row is TurnRecord & { status: 'awaiting' } {
  if (row?.status !== 'awaiting' || isRetry(row)) return false;
  return row.awaiting?.childRunId === undefined && row.awaiting?.reason !== 'timer';
}
