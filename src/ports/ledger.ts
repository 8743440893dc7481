import type {
  ClaimAnswer,
  ClaimRef,
  ClaimRequest,
  FiredTurn,
  LedgerState,
  SettleAnswer,
  SettleRequest,
  TurnRef,
  UnsentClaim,
} from '../core/ledger-state.js';

export type RenewAnswer = 'held' | 'lost' | 'missing';

/**
 * The coordination state of runs: claims, joins, acceptance. Each method is atomic for its run. Nothing in it is the
 * truth: it can be lost at any moment and is then rebuilt from the journal. Every method is safe to repeat, so callers
 * retry on UnavailableError without knowing whether the first try took effect. Time is the ledger's own.
 */
export interface Ledger {
  connect(): Promise<void>;
  close(): Promise<void>;
  /** Microseconds since 1970. */
  now(): Promise<number>;
  /**
   * Installs the state of a run, unless there is one. With `lock`, only if that lock still holds.
   * Answers whether this state is the one installed.
   */
  install(runId: string, state: LedgerState, lock?: string): Promise<boolean>;
  /** As `install` and `touch`, for a run that has just been accepted. May be two steps. */
  begin(runId: string, state: LedgerState): Promise<void>;
  claim(runId: string, request: ClaimRequest): Promise<ClaimAnswer>;
  /**
   * Of these turns, those that are open or wait and have no message. Some of those that are ready are claimed, and have a
   * token here; who asks again finds them claimed. None if the run has ended; undefined if the ledger does not know it.
   */
  claimUnsent(runId: string, request: UnsentClaim): Promise<FiredTurn[] | undefined>;
  renew(
    runId: string,
    node: string,
    turn: string,
    worker: string,
    token: number,
    leaseMs: number,
  ): Promise<RenewAnswer>;
  settle(runId: string, request: SettleRequest): Promise<SettleAnswer>;
  /** Gives up claims that nothing was begun with: anybody may claim these turns now. Those that are another's by now stay so. */
  giveBack(runId: string, claims: readonly ClaimRef[]): Promise<void>;
  /** Notes that these turns have messages now, which a settle or a rebuild has noted as turns that may have none. */
  sent(runId: string, turns: readonly TurnRef[]): Promise<void>;
  /**
   * Marks the run as ended: nothing of it is claimed or settled any more. The state is forgotten after a while.
   * `below`: only if no token as high as this was granted in it. False: one was, so the run has gone on since.
   */
  end(runId: string, status: string, below?: number): Promise<boolean>;
  /** As `end`, and `forget` if that is true: nothing is left to do of the run. May be two steps. */
  conclude(runId: string, status: string, below: number): Promise<boolean>;
  /** All fields of a run, for description and probes; empty if the ledger does not know the run. */
  read(runId: string): Promise<LedgerState>;
  /**
   * Takes the right to rebuild a run, for `ttlMs`. `incarnation`: the state with this incarnation is known to be
   * wrong and is dropped. `exists`: there is a state, no rebuild is needed. `wait`: another is rebuilding.
   */
  lock(
    runId: string,
    owner: string,
    ttlMs: number,
    incarnation?: string,
  ): Promise<{ kind: 'locked'; lock: string; now: number } | { kind: 'exists' } | { kind: 'wait' }>;
  /** Says that a worker lives; it counts as dead when this was not repeated for `ttlMs`. */
  beat(worker: string, ttlMs: number): Promise<void>;
  isAlive(worker: string): Promise<boolean>;
  /** A worker that stops kindly says so: its claims can be taken at once. */
  retire(worker: string): Promise<void>;
  /** Notes that these runs made progress now, or will have by then. */
  touch(runIds: readonly string[], aheadMs?: number): Promise<void>;
  /** Runs that made no progress for `idleMs`, the longest idle first. */
  idle(idleMs: number, limit: number): Promise<string[]>;
  /** The run needs no watching any more: it ended, or waits. */
  forget(runId: string): Promise<void>;
  /** What the fleet has noted under this name; undefined if nothing, or if it was lost. */
  cursor(name: string): Promise<string | undefined>;
  setCursor(name: string, value: string): Promise<void>;
  /** True for the one owner in the fleet that gets it, for `ttlMs` from when it asked last. */
  elect(name: string, owner: string, ttlMs: number): Promise<boolean>;
  /** Leaves to others what `elect` gave to this owner, if it still has it. */
  resign(name: string, owner: string): Promise<void>;
}
