import { createHash } from 'node:crypto';
import type { NodeDefinition } from 'flowcraft';

/**
 * A batch as its scatter's journal row has it. The workers, one for each item, follow from it and stand nowhere: neither
 * row nor message nor ledger call grows with the number of items.
 */
export interface BatchRecord {
  /** Names the batch within the run. */
  readonly id: string;
  /** What the workers use. */
  readonly uses: string;
  readonly items: number;
  /** The items after so many begin when these have completed. */
  readonly chunk: number;
  /** At most so many items are open at a time. */
  readonly window: number;
}

const UUID_LENGTH = 36;

/** Items of a batch are context values with keys that begin so. */
export const ITEM_KEY_PREFIX = '_batch.';

/** A function of what begins the batch, so that a scatter that is executed again begins the same one. Of the shape of a UUID, as in flowcraft. */
export function batchIdOf(runId: string, scatter: string, turn: string): string {
  const hex = createHash('sha256').update([runId, scatter, turn].join('\u001f')).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** What the ids of all workers of a batch begin with. */
export function workerPrefix({ uses, id }: Pick<BatchRecord, 'uses' | 'id'>): string {
  return `${uses}_${id}`;
}

/** What the workers of a batch with this prefix use. */
export function usesOf(prefix: string): string {
  return prefix.slice(0, -(UUID_LENGTH + 1));
}

export function workerId(batch: Pick<BatchRecord, 'uses' | 'id'>, index: number): string {
  return `${workerPrefix(batch)}_${index}`;
}

export function itemKey(scatter: string, batchId: string, index: number): string {
  return `${ITEM_KEY_PREFIX}${scatter}_${batchId}_item_${index}`;
}

/** The prefix that a node's id has if it is a worker of a batch. */
export function prefixOf(nodeId: string): string | undefined {
  return /^(.+)_\d+$/.exec(nodeId)?.[1];
}

/** The node that works on one item; undefined if the id is none of this batch. */
export function workerDefinition(scatter: string, batch: BatchRecord, nodeId: string): NodeDefinition | undefined {
  const prefix = workerPrefix(batch);
  const index = Number(nodeId.slice(prefix.length + 1));
  if (prefixOf(nodeId) !== prefix || !(index < batch.items)) return undefined;
  return { id: nodeId, uses: batch.uses, inputs: itemKey(scatter, batch.id, index) };
}
