import { UnavailableError } from '../core/errors.js';
import { turnKey } from '../core/identifiers.js';
import type { Clock } from '../ports/clock.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';

/** Why the signal of a running node was aborted; what the node does after that is dropped. */
export class ClaimLost extends Error {
  constructor() {
    super('The claim on this node turn was lost to another worker.');
    this.name = 'AbortError';
  }
}

/** Why the signal of a running node was aborted: its run was ended. */
export class RunCancelled extends Error {
  constructor() {
    super('The run was cancelled, or has failed.');
    this.name = 'AbortError';
  }
}

export interface HeldClaim {
  readonly runId: string;
  readonly nodeId: string;
  readonly turn: string;
  readonly token: number;
  readonly since: number;
  readonly controller: AbortController;
  /** By this process's clock; a later write would come under a claim that another may hold by now. */
  validUntil: number;
}

/**
 * Keeps the claims of running nodes alive, and the sign of life of this worker. Short nodes cost nothing: a claim is
 * renewed only when a third of its lease has passed. No timer runs while nothing is held.
 */
export class LeaseKeeper {
  private readonly held = new Map<string, HeldClaim>();
  private cancelTimer: (() => void) | undefined;

  constructor(
    private readonly ledger: Ledger,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly worker: string,
    private readonly leaseMs: number,
  ) {}

  /** `askedAt`: when the claim was asked for; it has been granted since. */
  hold(runId: string, nodeId: string, turn: string, token: number, askedAt: number): HeldClaim {
    const claim: HeldClaim = {
      runId,
      nodeId,
      turn,
      token,
      since: this.clock.now(),
      controller: new AbortController(),
      validUntil: askedAt + this.leaseMs,
    };
    this.held.set(turnKey(runId, nodeId, turn), claim);
    this.schedule();
    return claim;
  }

  /** Whether a claim that was asked for at that time and never renewed holds still. */
  holds(askedAt: number): boolean {
    return this.clock.now() < askedAt + this.leaseMs;
  }

  release(claim: HeldClaim): void {
    const key = turnKey(claim.runId, claim.nodeId, claim.turn);
    if (this.held.get(key) === claim) this.held.delete(key);
    if (this.held.size === 0) this.cancel();
  }

  /** Aborts what runs of this run. */
  abortRun(runId: string, reason: Error): void {
    for (const claim of this.held.values()) if (claim.runId === runId) claim.controller.abort(reason);
  }

  /** What is running now, for people. */
  list(): readonly HeldClaim[] {
    return [...this.held.values()];
  }

  abortAll(reason: Error): void {
    for (const claim of this.held.values()) claim.controller.abort(reason);
  }

  private schedule(): void {
    this.cancelTimer ??= this.clock.after(this.leaseMs / 3, () => {
      this.cancelTimer = undefined;
      void this.renewAll().finally(() => {
        if (this.held.size > 0) this.schedule();
      });
    });
  }

  private cancel(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  private async renewAll(): Promise<void> {
    const due = this.clock.now() + (this.leaseMs * 2) / 3;
    const claims = [...this.held.values()].filter(
      (claim) => claim.validUntil <= due && !claim.controller.signal.aborted,
    );
    await Promise.all(claims.map((claim) => this.renew(claim)));
  }

  private async renew(claim: HeldClaim): Promise<void> {
    const { runId, nodeId, turn, token } = claim;
    const askedAt = this.clock.now();
    try {
      const answer = await this.ledger.renew(runId, nodeId, turn, this.worker, token, this.leaseMs);
      // a missing ledger is rebuilt when the node has ended; its claim is open to this worker then
      // an answer that came too late may have found a claim that had run out, which is not brought back
      if (answer === 'held' && this.clock.now() < claim.validUntil) claim.validUntil = askedAt + this.leaseMs;
      if (answer === 'lost') claim.controller.abort(new ClaimLost());
    } catch (error) {
      if (!(error instanceof UnavailableError))
        this.logger.error('A claim could not be renewed.', { runId, nodeId, turn, error });
    }
  }
}
