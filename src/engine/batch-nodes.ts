import { BaseNode, type FlowcraftEvent, type NodeClass, type NodeContext, type NodeResult } from 'flowcraft';
import { batchIdOf, itemKey, workerId, type BatchRecord } from '../core/batch.js';
import { internalKey } from '../core/context-view.js';
import { sharedDepth } from '../core/leads.js';
import type { ActiveRun, ActiveRuns } from './active-run.js';
import { ofExecution } from './flowcraft-runtime.js';
import type { TurnInfo } from './node-execution.js';
import { EngineValue, RunContext, type ContextSources } from './run-context.js';

/** So many items of a batch are open at a time, over the whole fleet. */
export const BATCH_WINDOW = 1_000;
/** Batches of more items don't list their workers in the context. */
const MOST_LISTED = 1_000;
const OUTPUTS_AT_ONCE = 200;
const READS_AT_ONCE = 4;

/** What a scatter's result carries beside its output: only the engine sees it. */
const BATCH = Symbol('batch');

/** The batch that a result begins. */
export function batchOf(result: NodeResult | undefined): BatchRecord | undefined {
  return (result as { [BATCH]?: BatchRecord } | undefined)?.[BATCH];
}

/** What a gather needs to know of a batch. */
interface Scattered extends BatchRecord {
  /** Of the scatter's turn. */
  readonly passes: readonly string[];
}

/**
 * What stands in for flowcraft's scatter and gather. flowcraft's scatter returns its workers as a list of nodes, fails
 * after the first chunk and forgets to begin anew in the next pass of a loop; its gather reads one output at a time.
 */
export class BatchNodes {
  constructor(
    private readonly runs: ActiveRuns,
    private readonly sources: ContextSources,
  ) {}

  scatter(): NodeClass {
    return class ScatterNode extends BaseNode {
      async exec(_input: unknown, context: NodeContext): Promise<NodeResult> {
        return scatter(this.nodeId ?? '', (this.params ?? {}) as BatchParams, context);
      }
    };
  }

  gather(): NodeClass {
    const results = (gather: string, turn: TurnInfo, context: NodeContext) => this.results(gather, turn, context);
    return class GatherNode extends BaseNode {
      async exec(_input: unknown, context: NodeContext): Promise<NodeResult> {
        const { gatherNodeId = this.nodeId ?? '', outputKey } = (this.params ?? {}) as BatchParams;
        const output = await results(gatherNodeId, turnOf(context), context);
        // without an output key, flowcraft has the results under this word
        await context.context.set(String(outputKey), output);
        const batchId = gatherNodeId.replace('_gather', '');
        await emit(context, { type: 'batch:finish', payload: { batchId, gatherNodeId, results: output } });
        return { output };
      }
    };
  }

  /** The outputs of all workers in the order of the items, without those that gave none. */
  private async results(gather: string, turn: TurnInfo, context: NodeContext): Promise<unknown[]> {
    const run = await this.runs.find(turn.runId);
    if (!run) return [];
    const batches = await this.batches(run, gather, turn, context);
    const listed: unknown = batches.length === 0 ? await context.context.get(workersKey(gather)) : undefined;
    const workers = Array.isArray(listed) ? (listed as string[]) : batches.flatMap((batch) => workersOf(batch));
    if (batches.length > 1 && workers.length <= MOST_LISTED) await context.context.set(workersKey(gather), workers);
    const pages: string[][] = [];
    for (let i = 0; i < workers.length; i += OUTPUTS_AT_ONCE) pages.push(workers.slice(i, i + OUTPUTS_AT_ONCE));
    const found: unknown[][] = [];
    const next = pages.entries();
    const read = async () => {
      for (const [i, page] of next) found[i] = await this.outputs(run, page);
    };
    await Promise.all(Array.from({ length: READS_AT_ONCE }, read));
    return found.flat();
  }

  /** The batches of this pass that scatters of the blueprint have begun for the gather. */
  private async batches(run: ActiveRun, gather: string, turn: TurnInfo, context: NodeContext): Promise<Scattered[]> {
    const { nodes } = run.plan;
    const loops = nodes.get(turn.nodeId)?.loops ?? [];
    const found: Scattered[] = [];
    for (const node of nodes.values()) {
      if (node.definition.params?.['gatherNodeId'] !== gather || node.id === gather) continue;
      const batch = (await context.context.get(scatteredKey(gather, node.id))) as Scattered | undefined;
      const depth = sharedDepth(node.loops, loops);
      if (batch && turn.passes.slice(0, depth).every((pass, i) => pass === batch.passes[i])) found.push(batch);
    }
    return found;
  }

  private async outputs(run: ActiveRun, workers: readonly string[]): Promise<unknown[]> {
    const context = new RunContext(run, this.sources);
    const keys = workers.map((id) => `_outputs.${id}`);
    await context.prefetch(keys);
    const outputs: unknown[] = [];
    for (const key of keys) {
      const output = await context.get(key);
      if (output !== undefined) outputs.push(output);
    }
    return outputs;
  }
}

interface BatchParams {
  readonly workerUsesKey?: string;
  readonly gatherNodeId?: string;
  readonly outputKey?: string;
  readonly chunkSize?: number | null;
}

async function scatter(nodeId: string, params: BatchParams, within: NodeContext): Promise<NodeResult> {
  const { context } = within;
  const items: unknown = within.input ?? [];
  if (!Array.isArray(items)) throw new Error(`Input for batch-scatter node '${nodeId}' must be an array.`);
  const { workerUsesKey: uses, gatherNodeId: gather, chunkSize } = params;
  if (!uses || !gather) throw new Error(`BatchScatterNode requires 'workerUsesKey' and 'gatherNodeId' parameters.`);
  const chunk = chunkSize ?? Math.max(1, items.length);
  if (!Number.isInteger(chunk) || chunk < 1)
    throw new Error(`The chunkSize of batch-scatter node '${nodeId}' must be a whole number from 1.`);
  const turn = turnOf(within);
  const id = batchIdOf(turn.runId, nodeId, turn.turn);
  const batch: BatchRecord = { id, uses, items: items.length, chunk, window: BATCH_WINDOW };
  for (const [i, item] of items.entries()) await context.set(itemKey(nodeId, id, i), item);
  const workerNodeIds = workersOf(batch);
  const batchId = nodeId.replace('_scatter', '');
  await emit(within, { type: 'batch:start', payload: { batchId, scatterNodeId: nodeId, workerNodeIds } });
  await context.set(`${nodeId}_currentIndex`, items.length);
  await context.set(`${gather}_hasMore`, false);
  if (items.length <= MOST_LISTED) await context.set(workersKey(gather), workerNodeIds);
  const scattered: Scattered = { ...batch, passes: turn.passes };
  await context.set(scatteredKey(gather, nodeId), new EngineValue(scattered));
  const result = { output: { gatherNodeId: gather, hasMore: false }, [BATCH]: batch };
  return result;
}

function workersOf(batch: BatchRecord): string[] {
  return Array.from({ length: batch.items }, (_, i) => workerId(batch, i));
}

function workersKey(gather: string): string {
  return `${gather}_allWorkerIds`;
}

function scatteredKey(gather: string, scatter: string): string {
  return internalKey('batch', gather, scatter);
}

function turnOf(context: NodeContext): TurnInfo {
  return context.dependencies['turn'] as TurnInfo;
}

async function emit({ dependencies }: NodeContext, event: FlowcraftEvent): Promise<void> {
  const { executionId, services } = dependencies.runtime;
  await services.eventBus.emit(ofExecution(event, executionId));
}
