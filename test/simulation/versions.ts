import type { NodeDefinition, WorkflowBlueprint } from 'flowcraft';
import type { Flow } from './flows.js';

export const NEXT_VERSION = '2';

/** What the code of a process has: the first version of the flows, or the next one. */
export type Code = 'first' | 'next';

const known = new Map<Flow, Flow>();

/**
 * A flow as the next version of the code has it: its nodes have other names, so that nothing which one version makes can
 * pass for the other's; some of them use what only the next code implements; its subflows are other versions too,
 * under the same ids.
 */
export function nextVersion(flow: Flow): Flow {
  let next = known.get(flow);
  if (!next) {
    const [main, ...others] = flow.blueprints.map(renamed);
    if (!main) throw new Error(`'${flow.name}' has no blueprint.`);
    const blueprints = [
      { ...main, metadata: { version: NEXT_VERSION } },
      ...others.map((b) => ({ ...b, metadata: { version: NEXT_VERSION } })),
    ];
    known.set(flow, (next = { ...flow, blueprints }));
  }
  return next;
}

/** What a process registers: nothing of the other code's versions. */
export function blueprintsOf(code: Code, flows: readonly Flow[]): Record<string, WorkflowBlueprint> {
  const all = flows.flatMap((flow) => (code === 'first' ? flow : nextVersion(flow)).blueprints);
  return Object.fromEntries(all.map((b) => [b.id, b]));
}

function renamed(blueprint: WorkflowBlueprint): WorkflowBlueprint {
  return { ...blueprint, nodes: blueprint.nodes.map(renamedNode) };
}

function renamedNode({ params, ...node }: NodeDefinition, i: number): NodeDefinition {
  const { name, workerUsesKey } = params as Record<string, string>;
  return {
    ...node,
    uses: node.uses === 'step' && i % 2 === 1 ? 'step_2' : node.uses,
    params: {
      ...params,
      name: `${name} of ${NEXT_VERSION}`,
      ...(workerUsesKey === undefined ? {} : { workerUsesKey: 'step_2' }),
    },
  };
}
