import type { NodeDefinition } from 'flowcraft';
import { LRUCache } from 'lru-cache';
import { workerDefinition } from '../core/batch.js';
import { lookupKeys } from '../core/context-view.js';
import { giversOf, INLINE_CHARACTERS, rewritten } from '../core/given-values.js';
import { keysOf, type TurnName, type TurnRecord } from '../core/run.js';
import type { Origin } from '../core/settlement.js';
import { retractionOf, tornRows } from '../core/torn-rows.js';
import { FIRST_TURN } from '../core/turns.js';
import type { Clock, Ids } from '../ports/clock.js';
import type { StoredValue, TurnWrite } from '../ports/run-store.js';
import type { ActiveRun } from './active-run.js';
import { AddedNodes } from './added-nodes.js';
import { assertDynamicNodes } from './dynamic-nodes.js';
import { decideEdges, NO_EDGES, type EdgeDecision } from './edge-decision.js';
import type { LimitSettings } from './engine-options.js';
import type { FlowcraftRuntime } from './flowcraft-runtime.js';
import type { LeaseKeeper } from './lease-keeper.js';
import { executeNode, inputKeys, mayBeOverridden, type Executed, type Execution } from './node-execution.js';
import { hasPlainEdges, takePlainEdges, tellOfPlainEdges } from './plain-edges.js';
import { outputKey, RunContext, type ContextSources } from './run-context.js';
import { endingWrite, isRefusal, refusedOutcome } from './refused-outcome.js';
import type { Grant } from './turn-claimer.js';
import { hasOutput, turnWrite, type TurnFacts } from './turn-commit.js';
import type { WebhookEndpoints } from './webhook-endpoints.js';

const CREATORS_KEPT = 200;

/** A node whose wait ends. */
export interface WaitingNode {
  readonly definition: NodeDefinition;
  readonly context: RunContext;
}

/** Runs the code of a claimed turn and works out what it writes. */
export class TurnExecutor {
  private readonly creators = new LRUCache<string, TurnRecord>({ max: CREATORS_KEPT });
  private readonly added: AddedNodes;

  constructor(
    private readonly flowcraft: FlowcraftRuntime,
    private readonly sources: ContextSources,
    private readonly leases: LeaseKeeper,
    private readonly clock: Clock,
    private readonly ids: Ids,
    private readonly worker: string,
    private readonly limits: LimitSettings,
    private readonly webhooks: WebhookEndpoints,
  ) {
    this.added = new AddedNodes(sources.store, sources.persistence);
  }

  /** The definition of a node: of the blueprint, or of the turn that added it to the run. */
  async definition(run: ActiveRun, nodeId: string, origin: Origin | undefined): Promise<NodeDefinition | undefined> {
    const planned = run.plan.nodes.get(nodeId)?.definition;
    if (planned || !origin) return planned;
    const key = outputKey(run, { nodeId: origin.creator, turn: origin.creatorTurn });
    let creator = this.creators.get(key);
    if (!creator) {
      const { store, persistence } = this.sources;
      creator = await persistence.until(() => store.turn(run.runId, origin.creator, origin.creatorTurn), {
        runId: run.runId,
        nodeId,
      });
      if (creator) this.creators.set(key, creator);
    }
    if (creator?.batch && origin.batch !== undefined) return workerDefinition(origin.creator, creator.batch, nodeId);
    return creator?.dynamicNodes?.find((n) => n.id === nodeId);
  }

  /**
   * Undefined: the claim was lost, or the run cancelled, while the node ran; its result is dropped. `inTime`: the claim
   * holds still, as far as this process can tell.
   * @param cause what the turn wrote that fired this one, if it is at hand: the input need not be read then
   * @param before the row of the attempts that were made, if this is one of several stretches
   */
  async execute(
    run: ActiveRun,
    name: TurnName,
    grant: Grant,
    definition: NodeDefinition,
    cause?: TurnWrite,
    before?: TurnRecord,
  ): Promise<{ write: TurnWrite; hasRead: boolean; inTime: () => boolean } | undefined> {
    const { runId } = run;
    const gather = grant.origin?.gather;
    const claim = this.leases.hold(runId, name.nodeId, name.turn, grant.token, grant.askedAt);
    const context = new RunContext(run, this.sources);
    const startedAt = before?.startedAt ?? this.clock.now();
    const facts = (attempts: number): TurnFacts => ({
      runId,
      ...name,
      token: grant.token,
      passes: grant.passes,
      worker: this.worker,
      attempts,
      claims: grant.claims,
      startedAt,
      endedAt: this.clock.now(),
    });
    try {
      await this.readInputs(run, name, definition, context, cause);
      const { signal } = claim.controller;
      const executed = await executeNode(this.flowcraft, {
        run,
        name,
        definition,
        context,
        signal,
        claims: grant.claims,
        passes: grant.passes,
        attemptsBefore: before?.attempts ?? 0,
        clock: this.clock,
        random: () => this.ids.random(),
        webhooks: this.webhooks.within(run, { nodeId: name.nodeId, passes: grant.passes }),
      });
      if (signal.aborted) return undefined;
      const write = await this.ended(run, definition, executed, context, facts(executed.attempts), gather);
      // so that the claim with its signal need not be kept until the write is made
      const { validUntil } = claim;
      return { write, hasRead: context.hasRead, inTime: () => this.clock.now() < validUntil };
    } finally {
      this.leases.release(claim);
    }
  }

  /** Keeps a large output that is recorded now, so that the nodes after it need not read it. */
  remember(run: ActiveRun, { record }: TurnWrite): void {
    if (record.output !== undefined && record.output.length > INLINE_CHARACTERS)
      this.sources.runs.outputs.set(outputKey(run, record), record.output);
  }

  /**
   * What an earlier claimant has written for this turn, to be written again under the new token. Undefined if a rebuild
   * that did not know of it has put older values above what it wrote; the turn is then executed again.
   */
  async adopt(run: ActiveRun, row: TurnRecord, token: number): Promise<TurnWrite | undefined> {
    const { store, persistence } = this.sources;
    const keys = keysOf(row);
    const cells = await persistence.until(() => store.values(run.runId, keys, giversOf(run.plan, keys)), {
      runId: run.runId,
    });
    const own = (key: string): StoredValue | undefined =>
      cells.find((cell) => cell.key === key && cell.stamp === row.token);
    if (keys.some((key) => own(key) === undefined)) {
      const rows = await persistence.until(() => store.turns(run.runId), { runId: run.runId });
      const others = rows.filter((other) => other.nodeId !== row.nodeId || other.turn !== row.turn);
      if (tornRows(run.plan, [...others, row], cells).includes(row)) {
        const { values, stamp } = retractionOf(row, cells, run.base);
        if (values.length > 0)
          await persistence.until(() => store.writeValues(run.runId, values, stamp), { runId: run.runId });
        return undefined;
      }
    }
    const values = keys.flatMap((key) => {
      const cell = own(key);
      if (!cell) return [];
      const { stamp: _, ...value } = cell;
      return [value];
    });
    return { runId: run.runId, ...rewritten({ ...row, token }, values) };
  }

  /** What a waiting turn writes when what it waited for has come; `decide` may write to the context first. */
  async conclude(
    run: ActiveRun,
    row: TurnRecord,
    grant: Pick<Grant, 'token' | 'claims' | 'origin'>,
    decide: (waiting: WaitingNode) => Promise<Execution>,
  ): Promise<TurnWrite> {
    const { runId } = run;
    const context = new RunContext(run, this.sources);
    const definition = await this.definition(run, row.nodeId, grant.origin);
    if (!definition) throw new Error(`Node '${row.nodeId}' is not in the blueprint of run '${runId}'.`);
    const signal = new AbortController().signal;
    const within = this.flowcraft.executionContext(run.plan.blueprint, context, run.executionId, signal);
    const execution = await decide({ definition, context });
    const attempts = (execution.status === 'awaiting' && execution.attempts) || row.attempts;
    const ending = { execution, within, attempts };
    const endedAt = this.clock.now();
    const facts: TurnFacts = { ...row, runId, token: grant.token, claims: grant.claims, attempts, endedAt };
    return this.ended(run, definition, ending, context, facts, grant.origin?.gather);
  }

  private async readInputs(
    run: ActiveRun,
    name: TurnName,
    definition: NodeDefinition,
    context: RunContext,
    cause?: TurnWrite,
  ): Promise<void> {
    const { store, persistence } = this.sources;
    const keys = inputKeys(definition);
    const node = run.plan.nodes.get(definition.id);
    if (isStart(run, name) && keys.length === 1 && keys[0] === `_inputs.${name.nodeId}`) {
      await context.prime(keys, []); // its input, if any, is in the initial context
      return;
    }
    // of several writers of an input the one with the highest token holds, which need not be the one that settled last
    const hasOneWriter = !node || node.predecessors.length <= 1 || node.join === 'any';
    const atHand =
      keys.length === 1 && hasOneWriter && !mayBeOverridden(run, definition.id)
        ? cause && writtenAs(cause, keys[0])
        : undefined;
    if (atHand) {
      await context.prime(keys, [atHand]);
      return;
    }
    const wanted = [...new Set(keys.flatMap(lookupKeys))];
    const givers = giversOf(run.plan, wanted);
    const rows = await persistence.until(() => store.values(run.runId, wanted, givers), { runId: run.runId });
    await context.prime(keys, rows);
  }

  private async ended(
    run: ActiveRun,
    definition: NodeDefinition,
    executed: Executed,
    context: RunContext,
    facts: TurnFacts,
    gather: string | undefined,
  ): Promise<TurnWrite> {
    const { within } = executed;
    const { execution: given } = executed;
    const execution = given.status === 'failed' ? await this.added.checked(run, given) : given;
    let edges: EdgeDecision = NO_EDGES;
    try {
      if (execution.status === 'completed') {
        assertDynamicNodes(execution.result?.dynamicNodes, this.limits.maxFanOut, facts);
        const { result } = execution;
        if (result && hasPlainEdges(run.plan, definition.id, result)) {
          edges = takePlainEdges(run.plan, definition.id, result, context);
          if (this.flowcraft.isHeard)
            await tellOfPlainEdges(this.flowcraft, run.executionId, definition.id, result, edges);
        } else {
          if (result) await within.state.addCompletedNode(definition.id, result.output);
          const node = await this.added.deciding(run, definition);
          edges = await decideEdges(this.flowcraft, run, node, result, within, context, gather);
        }
      } else if (execution.status === 'failed' && execution.rescuer !== undefined) {
        await within.state.addCompletedNode(definition.id, null);
      }
      await context.keepAliases(hasOutput(execution) ? definition.id : undefined);
      return turnWrite(run.plan, facts, execution, edges, context, this.sources.codec, this.limits.maxContextBytes);
    } catch (error) {
      if (this.flowcraft.evaluator.hasThrown(error)) return endingWrite(facts, error as Error);
      if (!isRefusal(error)) throw error;
      return this.refused(run, facts, definition, error);
    }
  }

  /** The node has failed because what it came to can't be stored. */
  async refused(
    run: ActiveRun,
    facts: TurnFacts,
    definition: NodeDefinition | undefined,
    error: unknown,
  ): Promise<TurnWrite> {
    const encodedNull = this.sources.codec.encode(null, facts.nodeId);
    const fallback = definition?.config?.fallback;
    const isThere = fallback !== undefined && (await this.added.has(run, fallback));
    return refusedOutcome(facts, isThere ? fallback : undefined, error, encodedNull);
  }
}

/** What a turn has written under a key. */
function writtenAs({ record, values }: TurnWrite, key: string | undefined): StoredValue | undefined {
  const { token: stamp, output, gives } = record;
  if (key !== undefined && output !== undefined && gives?.includes(key)) return { key, stamp, value: output };
  const own = values.find((written) => written.key === key);
  return own && { ...own, stamp };
}

/** A turn that nothing comes before, of a run that was not opened again with other values. */
function isStart({ plan, record }: ActiveRun, { nodeId, turn }: TurnName): boolean {
  return turn === FIRST_TURN && !record.retries && plan.startNodeIds.includes(nodeId);
}
