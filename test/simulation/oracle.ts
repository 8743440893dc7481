import { FlowRuntime, type WorkflowBlueprint } from 'flowcraft';
import type { Flow } from './flows.js';
import { ORACLE_LAB, registryOf, withoutMarks } from './lab.js';

/** What must come of a run, whatever happens on the way. */
export interface Expected {
  readonly status: string;
  /** As `comparable` gives it. */
  readonly context: string;
  readonly failed: readonly string[];
}

/** What flowcraft's own runtime makes of a flow, its waits answered, its sleeps over at once. */
export async function oracle(flow: Flow): Promise<Expected> {
  const blueprints = Object.fromEntries(flow.blueprints.map((b) => [b.id, answered(flow, b)]));
  const runtime = new FlowRuntime({ registry: registryOf(ORACLE_LAB), blueprints });
  const main = blueprints[flow.blueprints[0]?.id ?? ''] as WorkflowBlueprint;
  const result = await runtime.run(main, {});
  return {
    status: result.status,
    context: comparable(flow, result.context),
    failed: (result.errors ?? []).map((e) => e.nodeId ?? '').sort(),
  };
}

/** The context without what depends on timing, on ids, or on who executed a node. */
export function comparable(flow: Flow, context: Readonly<Record<string, unknown>>): string {
  const joins = new Set(
    flow.blueprints.flatMap(({ nodes, edges }) =>
      nodes.filter((n) => edges.filter((e) => e.target === n.id).length > 1).map((n) => `_inputs.${n.id}`),
    ),
  );
  const dynamic = new Set(
    Object.entries(context).flatMap(([key, ids]) => (key.endsWith('_allWorkerIds') ? (ids as string[]) : [])),
  );
  const kept = Object.entries(context).filter(
    ([key, value]) =>
      value !== undefined &&
      key !== '_executionId' &&
      !joins.has(key) &&
      !key.startsWith('_batch.') &&
      !key.endsWith('_allWorkerIds') &&
      !dynamic.has(key.replace(/^_outputs\./, '')),
  );
  kept.sort(([a], [b]) => (a < b ? -1 : 1));
  return kept.map(([key, value]) => `${key} = ${JSON.stringify(withoutMarks(value))}`).join('\n');
}

function answered(flow: Flow, blueprint: WorkflowBlueprint): WorkflowBlueprint {
  const copy = structuredClone(blueprint);
  for (const node of copy.nodes) {
    const answer = node.uses === 'wait' ? flow.answers[node.id] : undefined;
    if (node.uses === 'sleep') Object.assign(node, { uses: 'pass' });
    if (answer) Object.assign(node, { uses: 'answer', params: { ...answer } });
  }
  return copy;
}
