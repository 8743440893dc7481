import type { RunRecord } from '../core/run.js';

/** The node that a run is the subflow of. */
export interface RunParent {
  readonly runId: string;
  readonly nodeId: string;
}

/** What is told of it, to be spread into a description. */
export function parentOf({ parent }: RunRecord): { parent?: RunParent } {
  return parent ? { parent: { runId: parent.runId, nodeId: parent.nodeId } } : {};
}
