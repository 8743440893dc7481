import { LRUCache } from 'lru-cache';
import { givesAll } from '../core/given-values.js';
import { turnKey } from '../core/identifiers.js';
import type { TurnRecord } from '../core/run.js';
import type { ActiveRun } from './active-run.js';

const RUNS_KEPT = 1_000;
const MOST_TURNS = 100;
const MOST_CHARACTERS = 16_384;

/** Undefined: the run's end is to be read. */
type Rows = Map<string, TurnRecord> | undefined;

/**
 * What the turns of small runs came to that settled in this process. Where these are all turns of a run, its end knows
 * what its context holds, unless somebody has written values to it.
 */
export class SettledHere {
  private readonly runs = new LRUCache<string, { rows: Rows; characters: number }>({ max: RUNS_KEPT });

  /** The row of a turn whose settle was accepted. */
  note({ runId, record, plan }: ActiveRun, row: TurnRecord): void {
    const settled = this.runs.get(runId) ?? { rows: new Map<string, TurnRecord>(), characters: 0 };
    settled.characters += row.output?.length ?? 0;
    const isWhole = row.status === 'completed' && givesAll(row);
    // what is added to a run does not count among its turns
    const isCounted = plan.nodes.has(row.nodeId) && !row.batch && !row.dynamicNodes;
    const isSmall = settled.characters <= MOST_CHARACTERS && (settled.rows?.size ?? 0) < MOST_TURNS;
    if (!isWhole || !isCounted || !isSmall || record.retries) settled.rows = undefined;
    settled.rows?.set(turnKey(runId, row.nodeId, row.turn), row);
    this.runs.set(runId, settled);
  }

  /** The rows of all turns of a run that has had so many; undefined if some of them are not known here. */
  all(runId: string, turns: number): readonly TurnRecord[] | undefined {
    const rows = this.runs.get(runId)?.rows;
    return rows?.size === turns ? [...rows.values()] : undefined;
  }

  /** The run ends, or waits for long. */
  forget(runId: string): void {
    this.runs.delete(runId);
  }
}
