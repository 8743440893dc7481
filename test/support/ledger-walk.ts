import type { NodeDefinition } from 'flowcraft';
import { LedgerState, type FiredTurn, type SettleAnswer } from '../../src/core/ledger-state.js';
import type { BatchRecord } from '../../src/core/batch.js';
import type { BlueprintPlan } from '../../src/core/plan.js';
import { startTurns } from '../../src/core/replay.js';
import type { TurnRecord } from '../../src/core/run.js';
import { settlementOf } from '../../src/core/settlement.js';
import { turnRecord } from './turn-records.js';

export interface WalkedTurn {
  readonly node: string;
  readonly turn: string;
}

/** What a turn comes to: a function of the turn alone, so that every order of execution has the same choices. */
export type Decide = (turn: WalkedTurn, plan: BlueprintPlan) => Partial<TurnRecord>;

/** Completes, takes every edge, adds no nodes. */
export const takeAll: Decide = ({ node }, plan) => ({ taken: targetsOf(plan, node) });

/** The node's own targets, and those of the nodes that it stands in for. */
export function targetsOf(plan: BlueprintPlan, nodeId: string): string[] {
  const node = plan.nodes.get(nodeId);
  const inherited = (node?.rescues ?? []).flatMap((id) => plan.nodes.get(id)?.targets ?? []);
  return [...new Set([...(node?.targets ?? []), ...inherited])];
}

export function dynamicNodes({ node, turn }: WalkedTurn, count: number): NodeDefinition[] {
  return Array.from({ length: count }, (_, i) => ({ id: `${node}:${turn}:${i}`, uses: 'step' }));
}

/** A batch with a window that is smaller than the batch, and for some sizes with chunks. */
export function batchOf({ node, turn }: WalkedTurn, items: number): BatchRecord {
  return { id: `${node}:${turn}`, uses: 'step', items, chunk: items % 2 === 0 ? 3 : Math.max(1, items), window: 2 };
}

/** Executes a run on a LedgerState, turn by turn, in whatever order the test chooses. */
export class LedgerWalk {
  readonly journal: TurnRecord[] = [];
  /** `node@turn`, as often as it was claimed. */
  readonly executed: string[] = [];
  private now = 1_700_000_000_000_000;
  private readonly decide: Decide;

  constructor(
    readonly plan: BlueprintPlan,
    decide: Decide = takeAll,
    private readonly maxTurns = 1000,
    readonly state: LedgerState = new LedgerState(),
  ) {
    this.decide = decide;
    this.state.open(startTurns(plan), 'i', this.now);
  }

  /** Turns that could be executed now, in a stable order. */
  get open(): WalkedTurn[] {
    return this.state
      .turns()
      .filter((t) => t.state === 'R' || t.state === 'C')
      .map(({ node, turn }) => ({ node, turn }))
      .sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  }

  get turns(): string[] {
    return turnsOf(this.state);
  }

  claim({ node, turn }: WalkedTurn): TurnRecord {
    this.now += 10;
    const answer = this.state.claim({ node, turn, worker: 'w', leaseMs: 1000, floor: 0, mode: 'job' }, this.now);
    if (answer.kind !== 'granted') throw new Error(`${node}@${turn} was not granted: ${answer.kind}`);
    this.executed.push(`${node}@${turn}`);
    return turnRecord(node, {
      turn,
      token: answer.token,
      passes: answer.passes,
      claims: answer.claims,
      output: '{"v":1}',
      ...this.decide({ node, turn }, this.plan),
    });
  }

  settle(row: TurnRecord): Extract<SettleAnswer, { kind: 'accepted' }> {
    this.now += 10;
    const { origin } = this.state.origin(row.nodeId, row.turn);
    const answer = this.state.settle(
      {
        settlement: settlementOf(this.plan, row, origin),
        token: row.token,
        worker: 'w',
        leaseMs: 1000,
        claim: 0,
        maxTurns: this.maxTurns,
      },
      this.now,
    );
    if (answer.kind !== 'accepted') throw new Error(`${row.nodeId}@${row.turn} was not accepted: ${answer.kind}`);
    if (!this.journal.includes(row)) this.journal.push(row);
    return answer;
  }

  /** Claims and settles a turn; answers what became ready, or is still open, because of it. */
  step(node: string, turn = '1'): string[] {
    return namesOf(this.settle(this.claim({ node, turn })).fired);
  }

  /** Settles an earlier turn once more. */
  redeliver(row: TurnRecord | undefined): string[] {
    return row ? namesOf(this.settle(row).fired) : [];
  }

  /** Executes all that is open; `choose` picks the next of so many. */
  finish(choose: (count: number) => number = () => 0): this {
    for (let open = this.open; open.length > 0; open = this.open) {
      const next = open[choose(open.length)];
      if (!next) throw new Error('There is no such turn.');
      this.settle(this.claim(next));
    }
    return this;
  }
}

/** All turns of a run with what they have come to: done, waiting, or still open in some way. */
export function turnsOf(state: LedgerState): string[] {
  const outcomes: Record<string, string> = { D: 'done', W: 'waiting' };
  return state
    .turns()
    .map((t) => `${nameOf(t)} ${outcomes[t.state] ?? 'open'}`)
    .sort();
}

export function namesOf(fired: readonly FiredTurn[]): string[] {
  return fired.map(nameOf).sort();
}

function nameOf({ node, turn }: WalkedTurn): string {
  return `${node}@${turn}`;
}
