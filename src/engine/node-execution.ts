import {
  FlowcraftError,
  type NodeDefinition,
  type NodeExecutionResult,
  type NodeResult,
  type WorkflowBlueprint,
} from 'flowcraft';
import { overrideKey } from '../core/context-view.js';
import { FlowcraftKafkaError } from '../core/errors.js';
import { idempotencyKey } from '../core/identifiers.js';
import type { AwaitingDetails, ErrorRecord, TurnName } from '../core/run.js';
import type { ActiveRun } from './active-run.js';
import type { ExecutionContext, FlowcraftRuntime } from './flowcraft-runtime.js';
import type { RunContext } from './run-context.js';

/** What a node's code led to, before anything of it is stored. */
export type Execution =
  | { readonly status: 'completed'; readonly result: NodeResult | undefined }
  | { readonly status: 'awaiting'; readonly result: NodeResult | undefined; readonly details: AwaitingDetails }
  | { readonly status: 'failed'; readonly error: ErrorRecord; readonly rescuer?: string };

export interface Executed {
  readonly execution: Execution;
  /** flowcraft's own view of this execution, for the decisions that follow. */
  readonly within: ExecutionContext;
  /** How often the node's code was tried. */
  readonly attempts: number;
}

export interface ExecutionRequest {
  readonly run: ActiveRun;
  readonly name: TurnName;
  readonly definition: NodeDefinition;
  readonly context: RunContext;
  readonly signal: AbortSignal;
  /** How often this turn was claimed, this time included. */
  readonly claims: number;
  /** Of the loops around the node. */
  readonly passes: readonly string[];
}

/** What nodes find as `dependencies.turn`: who they are, and the key to give to services that know idempotency. */
export interface TurnInfo {
  readonly runId: string;
  readonly nodeId: string;
  readonly turn: string;
  /** For each loop around the node, outermost first, the pass that this turn belongs to. */
  readonly passes: readonly string[];
  readonly idempotencyKey: string;
  /** 1 unless an earlier worker was lost while it executed this turn. */
  readonly claim: number;
}

/** The context keys that a node's input is made of. */
export function inputKeys(definition: NodeDefinition): string[] {
  const { inputs } = definition;
  const keys =
    inputs === undefined || inputs === ''
      ? [`_inputs.${definition.id}`]
      : typeof inputs === 'string'
        ? [inputs]
        : Object.values(inputs);
  // flowcraft's chunked batches declare inputs that are no keys: resolving them is what fails the node, not this
  const texts = keys.filter((key) => typeof key === 'string');
  return texts.flatMap((key) => (key.startsWith('_') ? [key] : [`_outputs.${key}`, key]));
}

/** A transforming edge replaces declared inputs for the rest of the run: only such nodes need to look. */
export function mayBeOverridden(run: ActiveRun, nodeId: string): boolean {
  const node = run.plan.nodes.get(nodeId);
  return (
    node?.definition.inputs !== undefined &&
    run.plan.blueprint.edges.some((e) => e.target === nodeId && e.transform !== undefined)
  );
}

/** Runs the node's code with all its in-process retries. Never rejects for what that code does. */
export async function executeNode(flowcraft: FlowcraftRuntime, request: ExecutionRequest): Promise<Executed> {
  const { run, context, signal } = request;
  const { runtime } = flowcraft;
  const definition = await effectiveDefinition(request);
  const blueprint = withNode(run.plan.blueprint, definition);
  const within = flowcraft.executionContext(blueprint, context, run.executionId, signal);
  introduce(within, request);
  const watch = watchExecution(within, definition.id);
  const ended = (execution: Execution): Executed => ({ execution, within, attempts: watch.attempts });
  let outcome: NodeExecutionResult;
  try {
    const executor = runtime.getExecutorForNode(definition.id, within) as {
      execute(input: unknown): Promise<NodeExecutionResult>;
    };
    outcome = await executor.execute(
      await runtime.resolveNodeInput(definition.id, blueprint, within.state.getContext()),
    );
  } catch (error) {
    // An aroundNode hook lets the failure of next() through; that must not hide the fallback.
    const { fallback } = definition.config ?? {};
    if (watch.fallback && fallback !== undefined && isExecutionFailure(error, definition.id))
      return ended(failed(run, error, fallback));
    return ended(failed(run, error));
  }
  if (outcome.status === 'failed') return ended(failed(run, outcome.error));
  if (outcome.status === 'failed_with_fallback') return ended(failed(run, outcome.error, outcome.fallbackNodeId));
  const result = outcome.result as NodeResult | undefined;
  if (!within.state.isAwaiting()) return ended({ status: 'completed', result });
  const details = (within.state.getAwaitingDetails(definition.id) ?? { reason: 'external_event' }) as AwaitingDetails;
  context.changes.delete('_awaitingNodeIds');
  context.changes.delete('_awaitingDetails');
  return ended({ status: 'awaiting', result, details });
}

export function errorRecord(error: unknown): ErrorRecord {
  return { message: messageOf(error), isFatal: error instanceof FlowcraftError && error.isFatal, cause: rootOf(error) };
}

async function effectiveDefinition({ run, definition, context }: ExecutionRequest): Promise<NodeDefinition> {
  if (!mayBeOverridden(run, definition.id) || !(await context.has(overrideKey(definition.id)))) return definition;
  return { ...definition, inputs: `_inputs.${definition.id}` };
}

function withNode(blueprint: Readonly<WorkflowBlueprint>, definition: NodeDefinition): WorkflowBlueprint {
  const at = blueprint.nodes.findIndex((n) => n.id === definition.id);
  if (at >= 0 && blueprint.nodes[at] === definition) return blueprint;
  const nodes = at < 0 ? [...blueprint.nodes, definition] : blueprint.nodes.with(at, definition);
  return { ...blueprint, nodes };
}

function introduce(execution: ExecutionContext, { run, name, claims, passes }: ExecutionRequest): void {
  const turn: TurnInfo = {
    runId: run.runId,
    ...name,
    passes,
    idempotencyKey: idempotencyKey(run.runId, name.nodeId, name.turn),
    claim: claims,
  };
  execution.services.dependencies = { ...execution.services.dependencies, turn };
}

function watchExecution(within: ExecutionContext, nodeId: string): { fallback: boolean; attempts: number } {
  const watch = { fallback: false, attempts: 1 };
  const { eventBus } = within.services;
  within.services.eventBus = {
    emit: (event) => {
      if (event.type === 'node:fallback' && event.payload.nodeId === nodeId) watch.fallback = true;
      if (event.type === 'node:retry' && event.payload.nodeId === nodeId) watch.attempts++;
      return eventBus.emit(event);
    },
  };
  return watch;
}

function isExecutionFailure(error: unknown, nodeId: string): boolean {
  return error instanceof FlowcraftError && error.message === `Node '${nodeId}' execution failed`;
}

/** A failure, as the rest of the run sees it. */
export function failed(run: ActiveRun, error: unknown, fallback?: string): Execution {
  if (fallback === undefined) return { status: 'failed', error: errorRecord(error) };
  if (run.plan.nodes.has(fallback)) return { status: 'failed', error: errorRecord(error), rescuer: fallback };
  const { cause } = errorRecord(error);
  return {
    status: 'failed',
    error: {
      message: `Fallback node '${fallback}' not found in blueprint.`,
      isFatal: false,
      ...(cause ? { cause } : {}),
    },
  };
}

function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : String(error);
}

/** The node's own error: at the bottom of the causes. flowcraft lists errors as plain objects that hold the original. */
function rootOf(error: unknown): { name: string; message: string } {
  let at = error;
  for (let depth = 0; depth < 20 && !(at instanceof FlowcraftKafkaError); depth++) {
    const { cause, originalError } = (at ?? {}) as { cause?: unknown; originalError?: unknown };
    const next = cause ?? originalError;
    if (next === undefined || next === null || next === at) break;
    at = next;
  }
  return { name: at instanceof Error ? at.name : typeof at, message: messageOf(at) };
}
