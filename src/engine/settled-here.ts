import { LRUCache } from 'lru-cache';
import { turnKey } from '../core/identifiers.js';
import type { TurnRecord } from '../core/run.js';
import type { ActiveRun } from './active-run.js';

const RUNS_KEPT = 1_000;
const ROWS_KEPT = 20_000;
/** Of a run. */
const MOST_CHARACTERS = 16_384;

interface Settled {
  /** Undefined: what the run holds is to be read. */
  rows: Map<string, TurnRecord> | undefined;
  characters: number;
}

/**
 * What the turns of small runs came to that settled in this process. Where these are all turns of a run, its end knows
 * what they gave to its context, and reads only what else was written to it.
 */
export class SettledHere {
  private rowsKept = 0;
  private readonly runs = new LRUCache<string, Settled>({ max: RUNS_KEPT, dispose: (settled) => this.drop(settled) });

  /** The row of a turn whose settle was accepted. */
  note({ runId, record, plan }: ActiveRun, row: TurnRecord): void {
    const settled: Settled = this.runs.get(runId) ?? { rows: new Map(), characters: 0 };
    this.runs.set(runId, settled);
    const { rows } = settled;
    if (!rows) return;
    settled.characters += row.output?.length ?? 0;
    // what is added to a run does not count among its turns
    const isCounted = plan.nodes.has(row.nodeId) && !row.batch && !row.dynamicNodes;
    const isSmall = settled.characters <= MOST_CHARACTERS && rows.size < ROWS_KEPT;
    if (row.status !== 'completed' || !isCounted || !isSmall || record.retries) return this.drop(settled);
    this.rowsKept -= rows.size;
    rows.set(turnKey(runId, row.nodeId, row.turn), row);
    this.rowsKept += rows.size;
    while (this.rowsKept > ROWS_KEPT) this.runs.pop();
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

  private drop(settled: Settled): void {
    this.rowsKept -= settled.rows?.size ?? 0;
    settled.rows = undefined;
  }
}
