import { createHash } from 'node:crypto';
import { FlowcraftError, type NodeContext } from 'flowcraft';
import type { BlueprintPlan } from '../core/plan.js';
import type { ParentTurn, RunRecord } from '../core/run.js';
import type { ActiveRun } from './active-run.js';
import type { NodeError } from './run-failure.js';

/** What the parameters of a subflow node say. */
export interface SubflowParams {
  readonly blueprintId?: string;
  readonly inputs?: Readonly<Record<string, string>>;
  readonly outputs?: Readonly<Record<string, string>>;
}

/** As SubflowNode makes a subflow's context. */
export async function initialContext(
  context: NodeContext,
  params: SubflowParams,
  plan: BlueprintPlan,
): Promise<Record<string, unknown>> {
  const initial = new Map<string, unknown>();
  if (params.inputs) {
    for (const [key, from] of Object.entries(params.inputs)) {
      const value: unknown = await context.context.get(from);
      initial.set(key, value === undefined ? await context.context.get(`_outputs.${from}`) : value);
    }
  } else if (context.input !== undefined) {
    const targets = new Set(plan.blueprint.edges.map((e) => e.target));
    for (const { id } of plan.blueprint.nodes) if (!targets.has(id)) initial.set(`_inputs.${id}`, context.input);
  }
  return Object.fromEntries(initial);
}

/** As SubflowNode hands a subflow's outcome to its parent: answers the node's output. */
export async function handOver(
  plan: BlueprintPlan,
  values: Record<string, unknown>,
  params: SubflowParams,
  parent: NodeContext['context'],
): Promise<unknown> {
  const own = (key: string) => (Object.hasOwn(values, key) ? values[key] : undefined);
  if (params.outputs) {
    for (const [key, from] of Object.entries(params.outputs))
      await parent.set(key as never, own(`_outputs.${from}`) ?? own(from));
    return values;
  }
  const ends = plan.terminalNodeIds;
  if (ends.length === 1) return values[`_outputs.${ends[0]}`];
  return Object.fromEntries(ends.map((id) => [id, values[`_outputs.${id}`]]));
}

/** As SubflowNode words it. */
export function failureOf(
  child: ActiveRun,
  { status, reason }: RunRecord,
  first: NodeError | undefined,
): FlowcraftError {
  const own = first?.cause && Object.assign(new Error(first.cause.message), { name: first.cause.name });
  return new FlowcraftError(
    `Sub-workflow '${child.plan.id}' did not complete successfully. Status: ${status}. Error: ${first?.message ?? reason ?? 'Unknown error'}`,
    { cause: first ? new Error(first.message, own ? { cause: own } : {}) : undefined, isFatal: false },
  );
}

/** A function of what it stands for, so that a repeated execution of the node finds the child that it has started. */
export function childRunIdOf({ runId, nodeId, turn, rootRunId, attempt, retries }: ParentTurn): string {
  const digest = createHash('sha256')
    .update([runId, nodeId, turn, attempt, ...(retries ? [retries] : [])].join('\u001f'))
    .digest('base64url')
    .slice(0, 20);
  return `${rootRunId.slice(0, 100)}.${digest}`;
}
