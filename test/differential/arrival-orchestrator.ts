import { executeBatch, processResults, type IOrchestrator } from 'flowcraft';

type Run = IOrchestrator['run'];
type Context = Parameters<Run>[0];
type Traverser = Parameters<Run>[1];
type Results = Awaited<ReturnType<typeof executeBatch>>;

const MOST_STARTS = 10_000;

/**
 * flowcraft without its rounds, which is what workers on several machines do: a node starts some time after it is ready,
 * and each result is looked at when it arrives. All else is decided by flowcraft's own functions. Two turns of one node
 * never run at the same time.
 */
export class ArrivalOrchestrator implements IOrchestrator {
  /** @param ahead what passes between a node's being ready and the reading of its input */
  constructor(private readonly ahead: (nodeId: string) => Promise<void> | undefined) {}

  async run(context: Context, traverser: Traverser): ReturnType<Run> {
    const running = new Map<string, Promise<void>>();
    const waiting: string[] = [];
    const arrived: Results[] = [];
    let starts = 0;
    const start = async (nodeId: string) => {
      await this.ahead(nodeId);
      arrived.push(await execute(context, traverser, nodeId));
      running.delete(nodeId);
    };
    const launch = () => {
      const ready = [...waiting.splice(0), ...traverser.getReadyNodes().map((r) => r.nodeId)];
      for (const nodeId of ready) {
        if (running.has(nodeId)) waiting.push(nodeId);
        else if (++starts > MOST_STARTS)
          throw new Error('Traversal exceeded maximum iterations, possible infinite loop');
        else running.set(nodeId, start(nodeId));
      }
    };
    launch();
    while (running.size > 0 || arrived.length > 0) {
      if (arrived.length === 0) await Promise.race(running.values());
      for (let results = arrived.shift(); results; results = arrived.shift()) {
        await processResults(
          results,
          traverser,
          context.state,
          context.runtime,
          context.blueprint,
          context.executionId,
        );
        launch();
      }
      launch();
    }
    const status = context.state.getStatus(!traverser.hasMoreWork());
    return { ...(await context.state.toResult(context.services.serializer, context.executionId)), status };
  }
}

function execute(context: Context, traverser: Traverser, nodeId: string): Promise<Results> {
  const { state, nodeRegistry, executionId, runtime, services, signal, concurrency } = context;
  const blueprint = traverser.getDynamicBlueprint();
  const nodeDef = blueprint.nodes.find((n) => n.id === nodeId);
  if (!nodeDef) throw new Error(`There is no node ${nodeId}.`);
  const ExecutionContext = context.constructor as new (...parts: unknown[]) => Context;
  const own = new ExecutionContext(blueprint, state, nodeRegistry, executionId, runtime, services, signal, concurrency);
  const executorOf = (id: string) => runtime.getExecutorForNode(id, own) as never;
  return executeBatch([{ nodeId, nodeDef }], blueprint, state, executorOf, runtime, 1);
}
