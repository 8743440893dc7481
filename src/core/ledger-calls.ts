import type { Origin, Settlement } from './settlement.js';

export interface ClaimRequest {
  readonly node: string;
  readonly turn: string;
  readonly worker: string;
  readonly leaseMs: number;
  /** The granted token is higher than this: the stamp of a row already in the journal. */
  readonly floor: number;
  /** Take the turn although this claim (its token) on it has not run out: its worker is known to be dead. */
  readonly takeover?: number;
  /** Whoever claims has a message of the turn. */
  readonly sent?: boolean;
  /** `resume`: the turn must await. `again`: the caller executed it before; a placeholder claim does not keep it out. */
  readonly mode: 'job' | 'resume' | 'again';
}

export type ClaimAnswer =
  | { kind: 'granted'; token: number; passes: string[]; claims: number; origin?: Origin; retries?: number }
  | { kind: 'settled'; token: number; passes: string[]; origin?: Origin }
  | { kind: 'awaiting' }
  | { kind: 'busy'; worker: string; token: number; retryInMs: number }
  | { kind: 'closed'; status: string }
  | { kind: 'unknown'; incarnation: string }
  | { kind: 'missing' };

export interface SettleRequest {
  readonly settlement: Settlement;
  /** This very object comes with many turns: what is made of it is worth keeping. */
  readonly isShared?: boolean;
  readonly token: number;
  readonly worker: string;
  readonly leaseMs: number;
  /** How many of the fired targets this worker claims in the same call. */
  readonly claim: number;
  /** Beyond this many turns in a run, none becomes ready any more. */
  readonly maxTurns: number;
}

/** A turn as the ledger names it. */
export interface TurnRef {
  readonly node: string;
  readonly turn: string;
}

/** A claim on a turn. */
export interface ClaimRef extends TurnRef {
  readonly token: number;
}

export interface FiredTurn extends TurnRef {
  readonly passes: string[];
  /** Granted to the caller in this call. */
  readonly token?: number;
  readonly origin?: Origin;
}

/** Turns that may have no message, because that of another turn stands for theirs. */
export interface UnsentClaim {
  readonly turns: readonly TurnRef[];
  readonly worker: string;
  readonly leaseMs: number;
  /** How many of those that are ready this worker claims. */
  readonly claim: number;
}

export interface RunCounts {
  /** Turns that are ready or claimed. */
  readonly open: number;
  readonly awaiting: number;
  /** Some node failed without rescue; some node was rescued by a fallback. */
  readonly failed: boolean;
  /** A node failed with which the run ends. */
  readonly isOver: boolean;
  readonly rescued: boolean;
  /** Turns that are ready, claimed or waiting, and may have no message. */
  readonly unsent: number;
  /** The node whose next turn would have been one too many. */
  readonly tooManyTurnsAt?: string;
  /** The highest token granted in this run so far. */
  readonly token: number;
  /** How many turns became ready so far, without those that a batch or a node adds in one round. */
  readonly turns: number;
}

export type SettleAnswer =
  | ({ kind: 'accepted'; fired: FiredTurn[] } & RunCounts)
  | { kind: 'lost' }
  | { kind: 'expired' }
  | { kind: 'closed'; status: string }
  | { kind: 'missing' };
