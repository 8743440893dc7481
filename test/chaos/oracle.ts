import { FlowRuntime, type FlowcraftEvent, type WorkflowBlueprint } from 'flowcraft';
import { answerOf, BLUEPRINTS, contextOf, type Flow } from './flows.js';
import { canonical, registryOf } from './nodes.js';

export interface Expected {
  readonly status: string;
  /** By key, in a form that equal values share. */
  readonly context: ReadonlyMap<string, string>;
  /** How often each node of the run itself executes. */
  readonly turns: Readonly<Record<string, number>>;
}

/**
 * What a run has to come to: flowcraft's in-process runtime executes it. Nodes that wait or sleep are nodes there that go
 * on at once, since that runtime runs neighbours of a resumed node twice.
 */
export async function expectedOf(flow: Flow, number: number): Promise<Expected> {
  const turns: Record<string, number> = {};
  const count = (event: FlowcraftEvent) => {
    if (event.type !== 'node:start' || event.payload.blueprintId !== flow.blueprint.id) return;
    const name = stableName(event.payload.nodeId);
    turns[name] = (turns[name] ?? 0) + 1;
  };
  const idle = { started: () => {}, finished: () => {}, nonce: () => 'oracle', random: () => 0.5, isHasty: true };
  const runtime = new FlowRuntime({
    registry: {
      ...registryOf(idle),
      wake: async ({ input }: { input?: unknown }) => ({ output: input }),
      answer: async ({ params }: { params: Record<string, unknown> }) => ({
        output: answerOf(number, String(params['node'])),
      }),
    },
    blueprints: structuredClone({ ...BLUEPRINTS }),
    eventBus: { emit: (event: FlowcraftEvent) => count(event) },
  });
  const result = await runtime.run(answering(flow.blueprint), contextOf(flow, number));
  return { status: result.status, context: comparable(flow, result.context), turns: { ...turns, ...flow.turns } };
}

/** The values of a context that two right runs share. */
export function comparable(flow: Flow, context: Record<string, unknown>): Map<string, string> {
  const timed = (key: string) => (flow.timed ?? []).some((id) => [id, `_outputs.${id}`, `_inputs.${id}`].includes(key));
  const entries = Object.entries(context)
    .filter(([key]) => !/^(_executionId|_batch\.|_subflowState|blueprint)/.test(key) && !timed(key))
    .filter(([key]) => !key.startsWith('_inputs.') && !key.endsWith('_currentIndex'))
    .filter(([, value]) => value !== undefined)
    .map(([key, value]): [string, string] => [stableName(key), stableName(canonical(value))]);
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Ids of batch workers contain one that is random in-process. */
export function stableName(text: string): string {
  return text.replaceAll(/unit_[A-Za-z0-9_.:@/-]+_(\d+)\b/g, 'unit_*_$1');
}

function answering(blueprint: WorkflowBlueprint): WorkflowBlueprint {
  const nodes = blueprint.nodes.map((node) =>
    node.uses === 'wait' || node.uses === 'sleep'
      ? { ...node, uses: node.uses === 'wait' ? 'answer' : 'wake', params: { node: node.id } }
      : node,
  );
  return structuredClone({ ...blueprint, nodes });
}
