import { randomUUID } from 'node:crypto';
import type { WorkflowBlueprint } from 'flowcraft';
import {
  LedgerState,
  type ClaimAnswer,
  type ClaimRequest,
  type FiredTurn,
  type SettleAnswer,
  type SettleRequest,
} from '../../src/core/ledger-state.js';
import { planBlueprint, type BlueprintPlan } from '../../src/core/plan.js';
import { startTurns } from '../../src/core/replay.js';
import type { TurnRecord } from '../../src/core/run.js';
import { settlementOf, type Origin } from '../../src/core/settlement.js';
import { FIRST_TURN } from '../../src/core/turns.js';
import type { Ledger } from '../../src/ports/ledger.js';
import { turnRecord } from '../support/turn-records.js';

/** What a ledger's author gives to the contract. */
export interface LedgerBench {
  /** Connected, and with nothing in it. */
  readonly ledger: Ledger;
  close(): Promise<void>;
  /** Lets so much of the ledger's own time pass. By default the test really waits. */
  wait?(ms: number): Promise<void>;
}

export type OpenLedger = () => Promise<LedgerBench>;

/** Long against any test, for claims that must not run out. */
export const LONG_LEASE_MS = 600_000;
/** For claims that must run out. */
export const SHORT_LEASE_MS = 60;

export function newRunId(): string {
  return `run-${randomUUID()}`;
}

export function waitOn(bench: LedgerBench, ms: number): Promise<void> {
  return bench.wait ? bench.wait(ms) : new Promise((resolve) => setTimeout(resolve, ms));
}

export function granted(answer: ClaimAnswer): Extract<ClaimAnswer, { kind: 'granted' }> {
  if (answer.kind !== 'granted') throw new Error(`The claim was not granted: ${JSON.stringify(answer)}`);
  return answer;
}

export function accepted(answer: SettleAnswer): Extract<SettleAnswer, { kind: 'accepted' }> {
  if (answer.kind !== 'accepted') throw new Error(`The settling was not accepted: ${JSON.stringify(answer)}`);
  return answer;
}

/** The fired turns as `node@turn`, sorted. */
export function names(fired: readonly FiredTurn[]): string[] {
  return fired.map(({ node, turn }) => `${node}@${turn}`).sort();
}

export interface SettleWish extends Partial<Pick<SettleRequest, 'worker' | 'leaseMs' | 'claim' | 'maxTurns'>> {
  readonly row?: Partial<TurnRecord>;
}

/** Drives one run of one blueprint over a ledger, as an engine would. */
export class LedgerRun {
  readonly plan: BlueprintPlan;
  readonly runId = newRunId();

  constructor(
    readonly ledger: Ledger,
    blueprint: WorkflowBlueprint,
  ) {
    this.plan = planBlueprint(blueprint);
  }

  static async open(ledger: Ledger, blueprint: WorkflowBlueprint): Promise<LedgerRun> {
    const run = new LedgerRun(ledger, blueprint);
    await run.install();
    return run;
  }

  async fresh(incarnation = 'i1'): Promise<LedgerState> {
    const state = new LedgerState();
    state.open(startTurns(this.plan), incarnation, await this.ledger.now());
    return state;
  }

  async install(incarnation?: string, lock?: string): Promise<boolean> {
    return this.ledger.install(this.runId, await this.fresh(incarnation), lock);
  }

  claim(node: string, turn = FIRST_TURN, wish: Partial<ClaimRequest> = {}): Promise<ClaimAnswer> {
    return this.ledger.claim(this.runId, {
      node,
      turn,
      worker: 'w1',
      leaseMs: LONG_LEASE_MS,
      floor: 0,
      mode: 'job',
      ...wish,
    });
  }

  /** Settles a claimed turn; by default it completes and takes all edges. */
  settle(
    claim: { token: number; passes: readonly string[]; origin?: Origin },
    node: string,
    turn = FIRST_TURN,
    wish: SettleWish = {},
  ): Promise<SettleAnswer> {
    const { row, ...request } = wish;
    const record = turnRecord(node, {
      turn,
      token: claim.token,
      passes: claim.passes,
      output: '{"v":1}',
      taken: this.plan.nodes.get(node)?.targets ?? [],
      ...row,
    });
    return this.ledger.settle(this.runId, {
      settlement: settlementOf(this.plan, record, claim.origin),
      token: claim.token,
      worker: 'w1',
      leaseMs: LONG_LEASE_MS,
      claim: 0,
      maxTurns: 1000,
      ...request,
    });
  }

  /** Claims and settles a turn. */
  async pass(
    node: string,
    turn = FIRST_TURN,
    wish: SettleWish = {},
  ): Promise<Extract<SettleAnswer, { kind: 'accepted' }>> {
    const claim = granted(await this.claim(node, turn, { worker: wish.worker ?? 'w1' }));
    return accepted(await this.settle(claim, node, turn, wish));
  }
}
