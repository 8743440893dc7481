import type { NodeDefinition } from 'flowcraft';
import { addedNode, type Source } from '../core/added-nodes.js';
import type { TurnRecord } from '../core/run.js';
import type { ActiveRun } from './active-run.js';
import type { Execution } from './node-execution.js';
import { errorWithCause } from './node-error.js';
import type { Persistence } from './persistence.js';
import type { RunStore } from '../ports/run-store.js';

/** What the edges out of a node are decided by. */
export interface Deciding extends Source {
  readonly definition: Readonly<NodeDefinition>;
  /** Nodes that were added to the run, with edges in the blueprint, that it has stood in for. */
  readonly rescuedAdded: readonly string[];
}

/** What only the journal of a run tells: which nodes were added to it, and which of them were rescued. */
export class AddedNodes {
  constructor(
    private readonly store: RunStore,
    private readonly persistence: Persistence,
  ) {}

  /** The journal is only read for a blueprint with edges from nodes that it does not have. */
  async deciding(run: ActiveRun, definition: NodeDefinition): Promise<Deciding> {
    const { plan } = run;
    const { id } = definition;
    const source = plan.nodes.get(id) ?? addedNode(plan, id, undefined);
    const rows = plan.edgesOfAdded.size === 0 ? [] : await this.rows(run);
    const rescued = rows.filter((row) => row.rescuer === id && plan.edgesOfAdded.has(row.nodeId));
    const { join, loops, edges, targets, rescues, fallback } = source;
    return {
      id,
      join,
      loops,
      edges,
      targets,
      rescues,
      fallback,
      definition,
      rescuedAdded: [...new Set(rescued.map((row) => row.nodeId))],
    };
  }

  /** A failure whose fallback is no node of the run, as flowcraft words it. */
  async checked(run: ActiveRun, execution: Extract<Execution, { status: 'failed' }>): Promise<Execution> {
    if (execution.rescuer === undefined) return execution;
    const { error, rescuer, ...others } = execution;
    if (await this.has(run, rescuer)) return execution;
    return { ...others, error: errorWithCause(`Fallback node '${rescuer}' not found in blueprint.`, error) };
  }

  /** Whether the run has such a node: the blueprint, or a turn that has completed, has brought it. */
  async has(run: ActiveRun, id: string): Promise<boolean> {
    if (run.plan.nodes.has(id)) return true;
    const rows = await this.rows(run);
    return rows.some((row) => row.dynamicNodes?.some((node) => node.id === id));
  }

  private rows({ runId }: ActiveRun): Promise<TurnRecord[]> {
    return this.persistence.until(() => this.store.turns(runId, false), { runId });
  }
}
