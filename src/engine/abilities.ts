import type { NodeDefinition } from 'flowcraft';
import { subflowOf } from '../core/plan.js';
import { pinOf } from '../core/run.js';
import type { ActiveRun } from './active-run.js';
import type { BlueprintCatalog } from './blueprint-catalog.js';
import type { EngineOptions } from './engine-options.js';
import type { FlowcraftRuntime } from './flowcraft-runtime.js';

/** A node of a run that this worker cannot execute, and another may: deploys roll. */
export class NotHere extends Error {}

/** What this worker's code can execute. */
export class Abilities {
  constructor(
    private readonly flowcraft: FlowcraftRuntime,
    private readonly catalog: BlueprintCatalog,
    private readonly options: Pick<EngineOptions, 'blueprints'>,
  ) {}

  /** What this worker lacks to execute a node, as a sentence; undefined if nothing. */
  lacks(
    { plan, record }: ActiveRun,
    node: Pick<NodeDefinition, 'uses' | 'params'> & { id?: string },
  ): string | undefined {
    if (this.options.blueprints?.unknownNodes === 'fail') return undefined;
    const name = node.id === undefined ? 'a node' : `node '${node.id}'`;
    if (!this.flowcraft.hasImplementation(node.uses))
      return `This worker has no implementation of '${node.uses}', which ${name} uses.`;
    const blueprintId = subflowOf(node);
    if (blueprintId === undefined || pinOf(record, blueprintId) !== undefined) return undefined;
    // with the code that the run was started with, nobody has it: the node fails
    if (this.catalog.knows(blueprintId) || this.catalog.has(plan)) return undefined;
    return `This worker does not know the blueprint '${blueprintId}', which ${name} starts.`;
  }
}
