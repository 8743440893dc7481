import { FIRST_TURN } from '../core/turns.js';
import type { SettleAnswer } from '../core/ledger-calls.js';
import type { TurnName } from '../core/run.js';
import type { StoredValue, TurnWrite, ValueWrite } from '../ports/run-store.js';
import type { ActiveRun } from './active-run.js';

/** Runs that have written more are read from the store. */
const MOST_CHARACTERS = 64_000;

/**
 * All that a run has written so far, while it goes one way: from its only start, each turn has made just the next one
 * ready, and this worker has executed them all, each claimed by the settle of the one before. Nobody else has written to
 * the run then, and who follows the trail need not read what the store has of it.
 */
export class Trail {
  private constructor(
    /** What each key that was written holds now. */
    private readonly byKey: Map<string, StoredValue>,
    private characters: number,
  ) {}

  /** Of the turn that a run begins with, claimed for the first time; undefined if it is another. */
  static from({ plan, record }: ActiveRun, { nodeId, turn }: TurnName, claims: number): Trail | undefined {
    const isStart = turn === FIRST_TURN && plan.startNodeIds.length === 1 && plan.startNodeIds[0] === nodeId;
    return isStart && claims === 1 && !record.retries ? new Trail(new Map(), 0) : undefined;
  }

  some(keys: readonly string[]): StoredValue[] {
    return keys.flatMap((key) => this.byKey.get(key) ?? []);
  }

  all(): StoredValue[] {
    return [...this.byKey.values()];
  }

  /**
   * The trail behind a turn that was executed first here and has settled; undefined if it ends: the run waits, forks, or
   * has written much. Whoever has it hands it on to one turn at most.
   */
  after({ record, values, ahead }: TurnWrite, answer: Extract<SettleAnswer, { kind: 'accepted' }>): Trail | undefined {
    const { fired, open, awaiting } = answer;
    if (record.status === 'awaiting' || ahead || awaiting > 0 || open !== fired.length || open > 1) return undefined;
    for (const value of values) {
      this.characters += charactersOf(value) - charactersOf(this.byKey.get(value.key));
      this.byKey.set(value.key, { ...value, stamp: record.token });
    }
    return this.characters > MOST_CHARACTERS ? undefined : this;
  }
}

function charactersOf(value: ValueWrite | undefined): number {
  return value ? value.key.length + (value.value?.length ?? 0) : 0;
}
