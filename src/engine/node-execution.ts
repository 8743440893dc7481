import {
  FlowcraftError,
  type FlowcraftEvent,
  type NodeDefinition,
  type NodeExecutionResult,
  type NodeResult,
  type WorkflowBlueprint,
} from 'flowcraft';
import { attemptPolicyOf, type AttemptPolicy } from '../core/attempts.js';
import { overrideKey } from '../core/context-view.js';
import { idempotencyKey } from '../core/identifiers.js';
import { RETRY, SUBFLOW, type AwaitingDetails, type ErrorRecord, type TurnName } from '../core/run.js';
import type { Clock } from '../ports/clock.js';
import type { ActiveRun } from './active-run.js';
import { callExecutor } from './executor-call.js';
import type { ExecutionContext, FlowcraftRuntime } from './flowcraft-runtime.js';
import { NodeAttempts } from './node-attempts.js';
import { errorRecord } from './node-error.js';
import type { RunContext } from './run-context.js';
import type { NodeWebhooks } from './webhook-endpoints.js';

/** A date cannot be later. */
const LONGEST_WAIT_MS = 100 * 365 * 86_400_000;

/** What a node's code led to, before anything of it is stored. */
export type Execution =
  | { readonly status: 'completed'; readonly result: NodeResult | undefined }
  | {
      readonly status: 'awaiting';
      readonly result: NodeResult | undefined;
      readonly details: AwaitingDetails;
      /** Why the node is tried again. */
      readonly error?: ErrorRecord;
      /** Of the node's attempts, those made so far, if they are not those of this process. */
      readonly attempts?: number;
    }
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
  /** Attempts of this turn that were made before, under other claims. */
  readonly attemptsBefore: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly webhooks: NodeWebhooks;
}

/** What nodes find as `dependencies.turn`: who they are, and the key to give to services that know idempotency. */
export interface TurnInfo {
  readonly runId: string;
  readonly nodeId: string;
  readonly turn: string;
  /** For each loop around the node, outermost first, the pass that this turn belongs to. */
  readonly passes: readonly string[];
  readonly idempotencyKey: string;
  /** 1 unless the turn was executed in several stretches: an earlier worker was lost, or the node paused long. */
  readonly claim: number;
  /** Which try of the node's code this is, from 1. */
  readonly attempt: number;
}

const keysOfInputs = new WeakMap<NodeDefinition, readonly string[]>();

/** The context keys that a node's input is made of, each once. */
export function inputKeys(definition: NodeDefinition): readonly string[] {
  let keys = keysOfInputs.get(definition);
  if (!keys) {
    keys = [...new Set(keysIn(definition))];
    keysOfInputs.set(definition, keys);
  }
  return keys;
}

function keysIn(definition: NodeDefinition): string[] {
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
  const effective = await effectiveDefinition(request);
  const policy = attemptPolicyOf(effective);
  const definition = stillToTry(effective, policy, request.attemptsBefore);
  const isPlanned = run.plan.nodes.get(definition.id)?.definition === definition;
  const blueprint = isPlanned ? run.plan.blueprint : withNode(run.plan.blueprint, definition);
  const attempts = new NodeAttempts({
    runId: run.runId,
    nodeId: definition.id,
    policy: retriesHere(flowcraft, definition) ? policy : { ...policy, maxAttempts: 1 },
    before: request.attemptsBefore,
    signal,
    clock: request.clock,
    random: request.random,
  });
  const within = flowcraft.executionContext(blueprint, context, run.executionId, signal, {
    uses: definition.uses,
    wrap: (implementation) => attempts.wrap(implementation),
  });
  introduce(within, request);
  const isBegun = () => hasBegunRun(within, definition.id);
  within.services.middleware = within.services.middleware.map((own) => ({
    ...(own.beforeNode ? { beforeNode: own.beforeNode } : {}),
    ...(own.aroundNode ? { aroundNode: own.aroundNode } : {}),
    ...(own.afterNode ? { afterNode: async (...told) => (isBegun() ? undefined : own.afterNode?.(...told)) } : {}),
  }));
  const outcome = await callExecutor(flowcraft, {
    within,
    definition,
    input: (alone) => runtime.resolveNodeInput(definition.id, alone, within.state.getContext()),
    hear: (event) => (isBegun() && event.type === 'node:finish' ? undefined : heard(event, attempts)),
  });
  const ended = (execution: Execution): Executed => ({ execution, within, attempts: attempts.made });
  if (outcome.status === 'failed' && attempts.later) return ended(paused(attempts.later));
  if (outcome.status !== 'success' || !within.state.isAwaiting()) return ended(executionOf(outcome));
  const result = outcome.result as NodeResult | undefined;
  const details = (within.state.getAwaitingDetails(definition.id) ?? { reason: 'external_event' }) as AwaitingDetails;
  context.changes.delete('_awaitingNodeIds');
  context.changes.delete('_awaitingDetails');
  return ended(limitedWait(definition, details, result, request.clock.now()));
}

/** What a call of flowcraft's executor came to. */
export function executionOf(outcome: NodeExecutionResult): Execution {
  if (outcome.status === 'failed') return failed(outcome.error);
  if (outcome.status === 'failed_with_fallback') return failed(outcome.error, outcome.fallbackNodeId);
  return { status: 'completed', result: outcome.result as NodeResult | undefined };
}

/** Its code has ended, but not what it stands for: others are told of its end when that has come. */
function hasBegunRun({ state }: ExecutionContext, nodeId: string): boolean {
  const details = state.getAwaitingDetails(nodeId) as AwaitingDetails | undefined;
  return state.isAwaiting() && details?.reason === SUBFLOW;
}

/** An attempt that is followed by a later one counts as no failure. */
function heard(event: FlowcraftEvent, { later, made }: NodeAttempts): FlowcraftEvent {
  if (event.type !== 'node:error' || !later) return event;
  const { nodeId, executionId, blueprintId } = event.payload;
  return { type: 'node:retry', payload: { nodeId, attempt: made, executionId, blueprintId } };
}

/** The node is tried again after a pause. */
function paused({ at, error }: { at: number; error: unknown }): Execution {
  const details = { reason: RETRY, wakeUpAt: new Date(Math.ceil(at)).toISOString() };
  return { status: 'awaiting', result: undefined, details, error: errorRecord(error) };
}

/** A node that waits for an answer may set a time limit to that: `params.timeoutMs`. */
function limitedWait(
  definition: NodeDefinition,
  details: AwaitingDetails,
  result: NodeResult | undefined,
  now: number,
): Execution {
  const { timeoutMs, timeoutAction } = (definition.params ?? {}) as { timeoutMs?: unknown; timeoutAction?: unknown };
  if (details.reason !== 'external_event' || timeoutMs === undefined) return { status: 'awaiting', result, details };
  const isAction = timeoutAction === undefined || typeof timeoutAction === 'string';
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0 && timeoutMs <= LONGEST_WAIT_MS) || !isAction) {
    const problem = isAction ? 'params.timeoutMs must be milliseconds, from 0' : 'params.timeoutAction must be a text';
    return failed(new FlowcraftError(`Node '${definition.id}' cannot wait: ${problem}.`, { isFatal: true }));
  }
  return { status: 'awaiting', result, details: { ...details, wakeUpAt: new Date(now + timeoutMs).toISOString() } };
}

/** flowcraft counts attempts from the first of this execution. */
function stillToTry(definition: NodeDefinition, policy: AttemptPolicy, before: number): NodeDefinition {
  if (before === 0) return definition;
  return { ...definition, config: { ...definition.config, maxRetries: Math.max(1, policy.maxAttempts - before) } };
}

/** An adapter can turn flowcraft's attempts off. */
function retriesHere(flowcraft: FlowcraftRuntime, definition: NodeDefinition): boolean {
  const { adapter } = flowcraft.runtime.dependencies as { adapter?: { shouldRetryInProcess?: unknown } };
  if (typeof adapter?.shouldRetryInProcess !== 'function') return true;
  return Boolean((adapter as { shouldRetryInProcess(node: NodeDefinition): unknown }).shouldRetryInProcess(definition));
}

async function effectiveDefinition({ run, definition, context }: ExecutionRequest): Promise<NodeDefinition> {
  if (!mayBeOverridden(run, definition.id) || !(await context.has(overrideKey(definition.id)))) return definition;
  return { ...definition, inputs: `_inputs.${definition.id}` };
}

/** The blueprint with this definition of a node. */
export function withNode(blueprint: Readonly<WorkflowBlueprint>, definition: NodeDefinition): WorkflowBlueprint {
  const at = blueprint.nodes.findIndex((n) => n.id === definition.id);
  if (at >= 0 && blueprint.nodes[at] === definition) return blueprint;
  const nodes = at < 0 ? [...blueprint.nodes, definition] : blueprint.nodes.with(at, definition);
  return { ...blueprint, nodes };
}

function introduce(execution: ExecutionContext, request: ExecutionRequest): void {
  const { run, name, claims, passes, attemptsBefore, webhooks } = request;
  const turn: TurnInfo = {
    runId: run.runId,
    ...name,
    passes,
    idempotencyKey: idempotencyKey(run.runId, name.nodeId, name.turn, run.record.retry?.keys[name.nodeId]),
    claim: claims,
    attempt: attemptsBefore + 1,
  };
  const { services, state } = execution;
  // flowcraft adds these three itself: what is there already need not be added to each copy that is made
  const added = { logger: services.logger, runtime: execution, workflowState: state };
  services.dependencies = { webhooks, ...services.dependencies, ...added, turn };
}

/** A failure, as the rest of the run sees it, if the run has such a fallback. */
export function failed(error: unknown, fallback?: string): Execution {
  return { status: 'failed', error: errorRecord(error), ...(fallback === undefined ? {} : { rescuer: fallback }) };
}
