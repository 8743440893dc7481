import {
  LedgerState,
  type ClaimAnswer,
  type ClaimRef,
  type ClaimRequest,
  type FiredTurn,
  type SettleAnswer,
  type SettleRequest,
  type TurnRef,
  type UnsentClaim,
} from '../../core/ledger-state.js';
import type { Clock } from '../../ports/clock.js';
import type { Ledger, RenewAnswer } from '../../ports/ledger.js';
import { MemoryTimerIndexData } from './memory-timers.js';

const ENDED_KEPT_MS = 600_000;

interface Lease {
  readonly holder: string;
  /** Microseconds. */
  readonly until: number;
}

/** What a Redis server would hold: share one among the ledgers of several workers of a process. */
export class MemoryLedgerData {
  readonly runs = new Map<string, LedgerState>();
  /** Microseconds at which a run ended; in the order of ending. */
  readonly ended = new Map<string, number>();
  readonly locks = new Map<string, Lease & { readonly lock: string }>();
  readonly elections = new Map<string, Lease>();
  readonly cursors = new Map<string, string>();
  /** Microseconds until which a worker counts as alive. */
  readonly workers = new Map<string, number>();
  /** Microseconds of the last progress. */
  readonly progress = new Map<string, number>();
  readonly timers = new MemoryTimerIndexData();
  latest = 0;
  grants = 0;

  /** Loses everything, as a server without persistence does when it restarts. */
  clear(): void {
    for (const map of [this.runs, this.ended, this.locks, this.elections, this.cursors, this.workers, this.progress])
      map.clear();
    this.timers.clear();
  }
}

/** The ledger of one process: every decision is LedgerState's. A method is atomic because it does not wait. */
export class MemoryLedger implements Ledger {
  constructor(
    private readonly clock: Clock,
    private readonly data: MemoryLedgerData = new MemoryLedgerData(),
  ) {}

  async connect(): Promise<void> {}

  async close(): Promise<void> {}

  async now(): Promise<number> {
    return this.time();
  }

  async install(runId: string, state: LedgerState, lock?: string): Promise<boolean> {
    if (lock !== undefined && this.lockOf(runId)?.lock !== lock) return false;
    if (this.data.runs.has(runId)) return false;
    this.data.runs.set(runId, new LedgerState(new Map(state.fields)));
    this.data.locks.delete(runId);
    return true;
  }

  async begin(runId: string, state: LedgerState): Promise<void> {
    // neither of them waits
    await Promise.all([this.install(runId, state), this.touch([runId])]);
  }

  async claim(runId: string, request: ClaimRequest): Promise<ClaimAnswer> {
    return this.run(runId).claim(request, this.time());
  }

  async claimUnsent(runId: string, request: UnsentClaim): Promise<FiredTurn[] | undefined> {
    return this.run(runId).claimUnsent(request, this.time());
  }

  async renew(
    runId: string,
    node: string,
    turn: string,
    worker: string,
    token: number,
    leaseMs: number,
  ): Promise<RenewAnswer> {
    return this.run(runId).renew(node, turn, worker, token, leaseMs, this.time());
  }

  async settle(runId: string, request: SettleRequest): Promise<SettleAnswer> {
    return this.run(runId).settle(request, this.time());
  }

  async giveBack(runId: string, claims: readonly ClaimRef[]): Promise<void> {
    this.data.runs.get(runId)?.giveBack(claims);
  }

  async sent(runId: string, turns: readonly TurnRef[]): Promise<void> {
    this.data.runs.get(runId)?.sent(turns);
  }

  async end(runId: string, status: string, below?: number): Promise<boolean> {
    return this.closeRun(runId, status, below);
  }

  async conclude(runId: string, status: string, below: number): Promise<boolean> {
    const hasEnded = this.closeRun(runId, status, below);
    if (hasEnded) this.data.progress.delete(runId);
    return hasEnded;
  }

  private closeRun(runId: string, status: string, below: number | undefined): boolean {
    const now = this.time();
    for (const [other, at] of this.data.ended) {
      if (now - at < ENDED_KEPT_MS * 1000) break;
      this.data.ended.delete(other);
      this.data.runs.delete(other);
    }
    const state = this.data.runs.get(runId);
    if (!state) return true;
    if (!state.close(status, below)) return false;
    this.data.ended.set(runId, this.data.ended.get(runId) ?? now);
    return true;
  }

  async read(runId: string): Promise<LedgerState> {
    return new LedgerState(new Map(this.run(runId).fields));
  }

  async lock(
    runId: string,
    owner: string,
    ttlMs: number,
    incarnation?: string,
  ): Promise<{ kind: 'locked'; lock: string; now: number } | { kind: 'exists' } | { kind: 'wait' }> {
    const state = this.data.runs.get(runId);
    if (state && (incarnation === undefined || state.get('i') !== incarnation)) return { kind: 'exists' };
    const held = this.lockOf(runId);
    if (held && held.holder !== owner) return { kind: 'wait' };
    this.data.runs.delete(runId);
    this.data.ended.delete(runId);
    const now = this.time();
    // Every grant has a lock of its own, so that of two rebuilds by one owner only the later one can install.
    const lock = `${owner}:${++this.data.grants}`;
    this.data.locks.set(runId, { holder: owner, lock, until: now + ttlMs * 1000 });
    return { kind: 'locked', lock, now };
  }

  async beat(worker: string, ttlMs: number): Promise<void> {
    const now = this.time();
    for (const [other, until] of this.data.workers) if (until <= now) this.data.workers.delete(other);
    this.data.workers.set(worker, now + ttlMs * 1000);
  }

  async isAlive(worker: string): Promise<boolean> {
    return (this.data.workers.get(worker) ?? 0) > this.time();
  }

  async retire(worker: string): Promise<void> {
    this.data.workers.delete(worker);
  }

  async touch(runIds: readonly string[], aheadMs = 0): Promise<void> {
    const at = this.time() + Math.round(aheadMs * 1000);
    for (const runId of runIds) this.data.progress.set(runId, at);
  }

  async idle(idleMs: number, limit: number): Promise<string[]> {
    const before = this.time() - idleMs * 1000;
    return [...this.data.progress]
      .filter(([, at]) => at <= before)
      .sort(([, a], [, b]) => a - b)
      .slice(0, limit)
      .map(([runId]) => runId);
  }

  async forget(runId: string): Promise<void> {
    this.data.progress.delete(runId);
  }

  async cursor(name: string): Promise<string | undefined> {
    return this.data.cursors.get(name);
  }

  async setCursor(name: string, value: string): Promise<void> {
    this.data.cursors.set(name, value);
  }

  async elect(name: string, owner: string, ttlMs: number): Promise<boolean> {
    const now = this.time();
    const held = this.data.elections.get(name);
    if (held && held.until > now && held.holder !== owner) return false;
    this.data.elections.set(name, { holder: owner, until: now + ttlMs * 1000 });
    return true;
  }

  async resign(name: string, owner: string): Promise<void> {
    if (this.data.elections.get(name)?.holder === owner) this.data.elections.delete(name);
  }

  private run(runId: string): LedgerState {
    return this.data.runs.get(runId) ?? new LedgerState();
  }

  private lockOf(runId: string): { holder: string; lock: string } | undefined {
    const held = this.data.locks.get(runId);
    if (!held || held.until > this.time()) return held;
    this.data.locks.delete(runId);
    return undefined;
  }

  /** A clock that is set back must not make claims live longer, and no two calls share a moment, as in a server. */
  private time(): number {
    this.data.latest = Math.max(this.data.latest + 1, this.clock.now() * 1000);
    return this.data.latest;
  }
}
