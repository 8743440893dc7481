import type { NodeClass, NodeFunction, NodeImplementation, WorkflowBlueprint } from 'flowcraft';

/** What `createFlow()` of flowcraft makes: a blueprint together with the code of its nodes. */
export interface BlueprintSource {
  toBlueprint(): WorkflowBlueprint;
  getFunctionRegistry(): Map<string, NodeFunction | NodeClass>;
}

/** A blueprint and the node implementations that came with it. */
export interface ResolvedBlueprint {
  readonly blueprint: WorkflowBlueprint;
  readonly nodes: ReadonlyMap<string, NodeImplementation>;
}

export function isBlueprintSource(value: unknown): value is BlueprintSource {
  const { toBlueprint, getFunctionRegistry } = (value ?? {}) as Partial<Record<string, unknown>>;
  return typeof toBlueprint === 'function' && typeof getFunctionRegistry === 'function';
}

export function isBlueprint(value: unknown): value is WorkflowBlueprint {
  const { id, nodes, edges } = (value ?? {}) as Partial<Record<string, unknown>>;
  return typeof id === 'string' && Array.isArray(nodes) && Array.isArray(edges);
}

/**
 * A flow names the code of its nodes by a hash and a counter of its process, so the names depend on the order in which
 * flows were built there, and another worker would not find them. Here they are named after flow and node.
 */
export function resolveBlueprint(value: WorkflowBlueprint | BlueprintSource): ResolvedBlueprint {
  if (!isBlueprintSource(value)) return { blueprint: value, nodes: new Map() };
  const built = value.toBlueprint();
  const code = value.getFunctionRegistry();
  const nodes = new Map<string, NodeImplementation>();
  const rename = (uses: unknown, name: string): string | undefined => {
    const implementation = typeof uses === 'string' ? code.get(uses) : undefined;
    if (!implementation) return undefined;
    nodes.set(name, implementation);
    return name;
  };
  const blueprint = {
    ...built,
    nodes: built.nodes.map((node) => {
      const uses = rename(node.uses, `${built.id}:${node.id}`) ?? node.uses;
      const workerUsesKey = rename(node.params?.['workerUsesKey'], `${built.id}:${node.id}:worker`);
      return { ...node, uses, ...(workerUsesKey ? { params: { ...node.params, workerUsesKey } } : {}) };
    }),
  };
  return { blueprint, nodes };
}
