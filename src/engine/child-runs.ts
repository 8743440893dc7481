import {
  BaseNode,
  FlowcraftError,
  type NodeClass,
  type NodeContext,
  type NodeDefinition,
  type NodeResult,
  type WorkflowState,
} from 'flowcraft';
import { attemptPolicyOf, retryPauseMs } from '../core/attempts.js';
import { chunksOf } from '../core/chunks.js';
import { BlueprintNotFoundError } from '../core/errors.js';
import { SubflowTooDeepError } from '../core/limit-errors.js';
import { assertContextKey } from '../core/identifiers.js';
import type { BlueprintPlan } from '../core/plan.js';
import { isEndStatus, pinOf, SUBFLOW, type ParentTurn, type TurnName, type TurnRecord } from '../core/run.js';
import { delay, type Clock } from '../ports/clock.js';
import type { ActiveRun, ActiveRuns } from './active-run.js';
import type { BlueprintCatalog } from './blueprint-catalog.js';
import type { Interrupted } from './cut-short.js';
import type { Finisher } from './finisher.js';
import type { FlowcraftRuntime } from './flowcraft-runtime.js';
import { concludeNode } from './node-conclusion.js';
import type { Execution, TurnInfo } from './node-execution.js';
import { RunContext, type ContextSources } from './run-context.js';
import type { RunEnder } from './run-ender.js';
import type { RunStarter, StartOptions } from './run-starter.js';
import { childRunIdOf, failureOf, handOver, initialContext, type SubflowParams } from './subflow-values.js';
import type { WaitEnding, WaitingTurns } from './waiting-turns.js';

const ENDS_AT_ONCE = 16;

export interface ChildRunParts {
  readonly flowcraft: FlowcraftRuntime;
  readonly runs: ActiveRuns;
  readonly catalog: BlueprintCatalog;
  readonly starter: RunStarter;
  readonly waiting: WaitingTurns;
  readonly finisher: Finisher;
  readonly ender: RunEnder;
  readonly sources: ContextSources;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** Levels of subflows below a run. */
  readonly maxDepth: number;
  readonly random: () => number;
}

/** Of the attempts to settle a turn whose claim another has: together longer than a lease. What is left then is found by the reconciler. */
const MOST_TRIES = 6;

/**
 * A subflow is a run of its own: visible, recoverable, on any workers. Its node starts the run and waits for it; the end
 * of the run settles the node. Both sides look whether the other has come, after they have written their own part: the
 * end of the child for a node that waits, the node that begins to wait for a child that has ended.
 */
export class ChildRuns {
  constructor(private readonly parts: ChildRunParts) {}

  /** What stands in for flowcraft's SubflowNode, which would run the subflow within the node. */
  nodeClass(): NodeClass {
    const begin = (context: NodeContext, params: SubflowParams, nodeId: string) => this.begin(context, params, nodeId);
    return class ChildRunNode extends BaseNode {
      async exec(_input: unknown, context: NodeContext): Promise<NodeResult> {
        await begin(context, this.params ?? {}, this.nodeId ?? '');
        return {};
      }
    };
  }

  /** The end of a child run: settles the node that waits for it, or starts the child again. */
  async childEnded(child: ActiveRun): Promise<void> {
    const { runs, waiting, sources, clock, leaseMs } = this.parts;
    const { parent } = child.record;
    if (!parent) return;
    const run = await sources.persistence.until(() => runs.find(parent.runId), { runId: parent.runId });
    if (!run) return;
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const row = await waiting.find(run.runId, parent);
      if (row?.awaiting?.childRunId !== child.runId) return;
      if ((await this.settle(run, row, child, parent)) !== 'taken') return;
      // whoever has the claim settles the turn for the same reason, unless it is lost
      await delay(clock, leaseMs / 4);
    }
  }

  /** A turn has begun to wait: if it is for a child run that has ended meanwhile, nobody else comes to say so. */
  async beganToWait(run: ActiveRun, name: TurnName): Promise<void> {
    const { runs, waiting, sources } = this.parts;
    const row = await waiting.find(run.runId, name);
    const childRunId = row?.awaiting?.childRunId;
    if (childRunId === undefined) return;
    const record = await sources.persistence.until(() => sources.store.run(childRunId), { runId: childRunId });
    if (!record || !isEndStatus(record.status)) return;
    await this.childEnded(await runs.hold(record));
  }

  private async begin(context: NodeContext, params: SubflowParams, nodeId: string): Promise<void> {
    const { runs, starter, sources } = this.parts;
    const turn = context.dependencies['turn'] as TurnInfo;
    if (!params.blueprintId)
      throw new FlowcraftError(`Subflow node '${nodeId}' is missing 'blueprintId' parameter.`, { isFatal: true });
    const run = await sources.persistence.until(() => runs.find(turn.runId), { runId: turn.runId });
    const plan = await this.plan(run, params.blueprintId);
    // refused now: when the child has ended, nothing can be refused any more
    for (const key of Object.keys(params.outputs ?? {})) assertContextKey(key, { runId: turn.runId, nodeId });
    const parent: ParentTurn = {
      runId: turn.runId,
      nodeId,
      turn: turn.turn,
      rootRunId: run?.executionId ?? turn.runId,
      depth: depthOf(run) + 1,
      attempt: 1,
      ...(run?.record.retries ? { retries: run.record.retries } : {}),
    };
    if (run) await this.assertDepth(run, nodeId, plan.id);
    const childRunId = childRunIdOf(parent);
    const definition = context.dependencies.runtime.blueprint.nodes.find(({ id }) => id === nodeId);
    const options = run ? childOptions(run, definition ?? {}) : {};
    const input = await initialContext(context, params, plan);
    await starter.startChild(plan, childRunId, input, parent, options, run?.record.options?.subflows);
    // whoever has ended the parent meanwhile did not know of this child
    await this.endOrphan(parent.runId, childRunId);
    const state = context.dependencies.workflowState as WorkflowState<Record<string, unknown>>;
    await state.markAsAwaiting(nodeId, { reason: SUBFLOW, childRunId });
  }

  /** Of a subflow that is too deep nothing has been written, and no attempt at it or at those above could be better. */
  private async assertDepth(run: ActiveRun, nodeId: string, blueprintId: string): Promise<void> {
    const { runs, sources, maxDepth } = this.parts;
    if (depthOf(run) < maxDepth) return;
    const chain = [blueprintId];
    for (let above: ActiveRun | undefined = run; above;) {
      chain.unshift(above.plan.id);
      const runId: string | undefined = above.record.parent?.runId;
      above = runId === undefined ? undefined : await sources.persistence.until(() => runs.find(runId), { runId });
    }
    const cause = new SubflowTooDeepError(maxDepth, chain, { runId: run.runId, nodeId });
    throw new FlowcraftError(cause.message, { isFatal: true, cause });
  }

  /** The child runs of turns that were interrupted by the end of their run end with it. */
  async cutShort(run: ActiveRun, { executing, waiting }: Interrupted): Promise<void> {
    // of a node that was added to the run only its creator's row tells what it is
    const mayBegin = executing.filter(({ nodeId }) => {
      const uses = run.plan.nodes.get(nodeId)?.definition.uses;
      return uses === undefined || uses === SUBFLOW;
    });
    const begun = mayBegin.map(({ nodeId, turn }) =>
      childRunIdOf({ runId: run.runId, nodeId, turn, rootRunId: run.executionId, attempt: 1 }),
    );
    const waitedFor = waiting.flatMap(({ awaiting }) => awaiting?.childRunId ?? []);
    for (const some of chunksOf([...begun, ...waitedFor], ENDS_AT_ONCE))
      await Promise.all(some.map((childRunId) => this.endOrphan(run.runId, childRunId)));
  }

  /**
   * Ends a child run whose parent has ended, and answers whether it was one: whoever started it may have been lost before
   * it said so, and with it whatever told that the node of the parent was under way.
   */
  async endIfOrphan({ runId, record }: ActiveRun): Promise<boolean> {
    return record.parent !== undefined && (await this.endOrphan(record.parent.runId, runId));
  }

  private async endOrphan(parentRunId: string, childRunId: string): Promise<boolean> {
    const { runs, ender, sources } = this.parts;
    const { store, persistence } = sources;
    const [parent, child] = await persistence.until(
      () => Promise.all([store.run(parentRunId), store.run(childRunId)]),
      { runId: childRunId },
    );
    if (!parent || !isEndStatus(parent.status) || child?.status !== 'running') return false;
    const run = await persistence.until(() => runs.hold(child), { runId: childRunId });
    await ender.end(run, 'cancelled', `Ended with run '${parentRunId}', which it is a part of.`);
    return true;
  }

  /** The version that the run above is pinned to, else the one that this process has. */
  private async plan(run: ActiveRun | undefined, blueprintId: string): Promise<BlueprintPlan> {
    const { catalog, sources } = this.parts;
    const hash = run && pinOf(run.record, blueprintId);
    if (hash !== undefined)
      return sources.persistence.until(() => catalog.pinned(blueprintId, hash), { runId: run?.runId ?? '' });
    try {
      return catalog.current(blueprintId);
    } catch (cause) {
      if (!(cause instanceof BlueprintNotFoundError)) throw cause;
      throw new FlowcraftError(`Sub-blueprint '${blueprintId}' not found in runtime registry.`, {
        isFatal: true,
        cause,
      });
    }
  }

  private async settle(run: ActiveRun, row: TurnRecord, child: ActiveRun, parent: ParentTurn): Promise<WaitEnding> {
    const { store, persistence } = this.parts.sources;
    const record = await persistence.until(() => store.run(child.runId), { runId: child.runId });
    if (!record) return 'gone';
    const errors = record.status === 'failed' ? await this.parts.finisher.errors(child.runId) : [];
    const isRetryable = record.status === 'failed' && !errors.some((e) => e.cause?.name === SubflowTooDeepError.name);
    let hasBegunAgain = false;
    const ending = await this.parts.waiting.settle(run, row, async (waiting) => {
      const { config = {}, params = {} } = waiting.definition;
      hasBegunAgain = isRetryable && parent.attempt < (config.maxRetries ?? 1);
      if (hasBegunAgain) return this.again(run, child, parent, waiting.definition);
      const { flowcraft } = this.parts;
      if (record.status !== 'completed') {
        const failure = failureOf(child, record, errors[0]);
        return concludeNode(flowcraft, run, waiting, async () => Promise.reject(failure));
      }
      const values = await this.valuesOf(child);
      return concludeNode(flowcraft, run, waiting, async ({ context }) => ({
        output: await handOver(child.plan, values, params as SubflowParams, context),
      }));
    });
    // the next child may have ended before its turn waited for it
    if (ending === 'settled' && hasBegunAgain) await this.beganToWait(run, parent);
    return ending;
  }

  private async again(
    run: ActiveRun,
    child: ActiveRun,
    parent: ParentTurn,
    definition: NodeDefinition,
  ): Promise<Execution> {
    const delayMs = Math.round(retryPauseMs(attemptPolicyOf(definition), parent.attempt, this.parts.random()));
    const next = { ...parent, attempt: parent.attempt + 1 };
    const childRunId = childRunIdOf(next);
    const options = { ...childOptions(run, definition), delayMs };
    const { nodeId, attempt } = parent;
    const { executionId, plan } = run;
    const payload = { nodeId, attempt, executionId, blueprintId: plan.id };
    await this.parts.flowcraft.emit({ type: 'node:retry', payload });
    await this.parts.starter.restartChild(child, childRunId, next, options);
    const details = { reason: SUBFLOW, childRunId };
    return { status: 'awaiting', result: undefined, details, attempts: next.attempt };
  }

  /** The context that the child has ended with. */
  private async valuesOf(child: ActiveRun): Promise<Record<string, unknown>> {
    return { ...(await new RunContext(child, this.parts.sources).toJSON()), _executionId: child.executionId };
  }
}

function depthOf(run: ActiveRun | undefined): number {
  const parent = run?.record.parent;
  return parent ? (parent.depth ?? 1) : 0;
}

/** An attempt at a subflow is a run: what limits the one limits the other. */
function childOptions(run: ActiveRun, definition: Pick<NodeDefinition, 'config'>): StartOptions {
  const { timeoutMs } = attemptPolicyOf(definition);
  const { failurePolicy } = run.record.options ?? {};
  return { ...(timeoutMs === undefined ? {} : { timeoutMs }), ...(failurePolicy ? { failurePolicy } : {}) };
}
