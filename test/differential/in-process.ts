import {
  DefaultOrchestrator,
  FlowRuntime,
  UnsafeEvaluator,
  type FlowcraftEvent,
  type GraphTraverser,
  type IOrchestrator,
  type WorkflowBlueprint,
} from 'flowcraft';
import type { Outcome } from '../conformance/corpus.js';
import { Random } from '../simulation/world/random.js';
import { VirtualTime } from '../simulation/world/virtual-time.js';
import { StartCounter } from '../conformance/start-counter.js';
import { ArrivalOrchestrator } from './arrival-orchestrator.js';
import type { FuzzCase } from './fuzz-case.js';

export interface Asking {
  /** How long each node takes; 0: no time at all. */
  readonly seed: number;
  /** Some nodes are a thousand times as slow as others. */
  readonly uneven?: boolean;
  readonly concurrency?: number;
  /** Processes each result when it arrives, in place of flowcraft's rounds. */
  readonly onArrival?: boolean;
}

export interface Answer {
  readonly outcome: Outcome;
  /** Every value that was written under `_inputs.<node>`. */
  readonly inputs: ReadonlyMap<string, readonly unknown[]>;
}

const NEVER_AFTER = 3_600_000;

/** Runs a case on flowcraft's own runtime, with virtual time. */
export async function askFlowcraft(kase: FuzzCase, asking: Asking): Promise<Answer> {
  const random = new Random(asking.seed, 'pace');
  const time = new VirtualTime();
  const starts = new StartCounter();
  const inputs = new Map<string, unknown[]>();
  let executionId = '';
  const paces = new Map<string, number>();
  const pause = (nodeId: string) => {
    if (asking.seed === 0) return undefined;
    const pace = paces.get(nodeId) ?? 10 ** random.between(0, asking.uneven ? 4 : 1);
    paces.set(nodeId, pace);
    return new Promise<void>((resolve) => void time.after(random.between(0, pace), resolve));
  };
  const blueprints = Object.values(kase.blueprints).map(answeringItself);
  const runtime = new FlowRuntime({
    registry: kase.registry,
    blueprints: Object.fromEntries(blueprints.map((b) => [b.id, b])),
    evaluator: new UnsafeEvaluator(),
    middleware: [{ beforeNode: async (_context, nodeId) => void (await pause(nodeId)) }],
    eventBus: {
      emit: (event: FlowcraftEvent) => {
        starts.emit(event);
        if (event.type === 'workflow:start') executionId = event.payload.executionId;
        if (event.type !== 'context:change' || !event.payload.key.startsWith('_inputs.')) return;
        inputs.set(event.payload.key, [...(inputs.get(event.payload.key) ?? []), event.payload.value]);
      },
    },
  });
  runtime.orchestrator = new RepairedOrchestrator(
    asking.onArrival ? new ArrivalOrchestrator((nodeId) => pause(`start of ${nodeId}`)) : new DefaultOrchestrator(),
  );
  const main = blueprints.find((b) => b.id === kase.name) as WorkflowBlueprint;
  const options = asking.concurrency === undefined ? {} : { concurrency: asking.concurrency };
  const { status, context, errors } = await passing(
    time,
    runtime.run(main, structuredClone(kase.initialContext ?? {}), options),
  );
  return {
    outcome: {
      status,
      context,
      executed: starts.of(kase, executionId),
      error:
        errors && errors.length > 0 ? { errors: errors as unknown as { nodeId: string; message: string }[] } : null,
    },
    inputs,
  };
}

/** A wait that is answered at once gives what one gives that is answered later. */
function answeringItself(blueprint: WorkflowBlueprint): WorkflowBlueprint {
  const copy = structuredClone(blueprint);
  for (const node of copy.nodes) if (node.uses === 'wait') node.uses = 'answered';
  return copy;
}

/**
 * Mends what is broken in flowcraft's loops and fallbacks beyond argument, so that the rest of its answers can be
 * compared: the body of a loop is what the case says (flowcraft forgets loops within loops and fallbacks), and an `any`
 * join hears of the fallback that stands in for a predecessor.
 */
class RepairedOrchestrator implements IOrchestrator {
  constructor(private readonly inner: IOrchestrator) {}

  run(...[context, traverser]: Parameters<IOrchestrator['run']>): ReturnType<IOrchestrator['run']> {
    const { nodesInLoops } = traverser as unknown as { nodesInLoops: Map<string, Set<string>> };
    const blueprint = traverser.getDynamicBlueprint();
    for (const { id, params } of blueprint.nodes)
      if (Array.isArray(params?.['body'])) nodesInLoops.set(id, new Set(params['body'] as string[]));
    this.tellAnyJoins(blueprint, traverser);
    return this.inner.run(context, traverser);
  }

  private tellAnyJoins(blueprint: WorkflowBlueprint, traverser: GraphTraverser): void {
    const rescued = new Set<string>();
    const marks = traverser.markNodeCompleted.bind(traverser);
    traverser.markNodeCompleted = (nodeId, result, nextNodes) => {
      if (result?._fallbackExecuted) rescued.add(nodeId);
      marks(nodeId, result, nextNodes);
    };
    for (const { id, config } of blueprint.nodes) {
      const rescuer = config?.fallback;
      if (rescuer === undefined) continue;
      for (const { source, target } of blueprint.edges) {
        const join = blueprint.nodes.find((n) => n.id === target);
        const before = traverser.getAllPredecessors().get(target);
        if (source !== id || join?.config?.joinStrategy !== 'any' || !before) continue;
        const isBefore = before.has.bind(before);
        before.has = (other) => isBefore(other) || (other === rescuer && rescued.has(id));
      }
    }
  }
}

async function passing<T>(time: VirtualTime, promise: Promise<T>): Promise<T> {
  let settled = false;
  const end = () => {
    settled = true;
  };
  promise.then(end, end);
  await drained();
  while (!settled) {
    const event = time.take(time.now + NEVER_AFTER);
    if (!event) throw new Error('flowcraft waits for something that never comes.');
    event();
    await drained();
  }
  return promise;
}

function drained(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
