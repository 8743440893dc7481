import type { NodeImplementation } from 'flowcraft';
import { FLOW_NODE, type FlowNodeMark } from '../decorators/flow-node.decorator.js';
import { marksOf, type Mark } from '../decorators/marks.js';
import type { OptionProblem } from '../options-check.js';
import type { Candidate } from './candidates.js';
import { hasMethod, lifecycleNode, methodNode } from './injectable-node.js';

/** A node type that a provider declares. */
export interface DeclaredNode {
  readonly name: string;
  readonly implementation: NodeImplementation;
  /** Who declares it, for people. */
  readonly source: string;
}

/** The node types that the application declares with `@FlowNode`. What is wrong with them is added to `problems`. */
export function exploreNodes(candidates: readonly Candidate[], problems: OptionProblem[]): DeclaredNode[] {
  return candidates.flatMap((candidate) =>
    marksOf<FlowNodeMark>(FLOW_NODE, candidate.type).flatMap((mark) => {
      const declared = declare(candidate, mark);
      if ('implementation' in declared) return [declared];
      problems.push(declared);
      return [];
    }),
  );
}

function declare(candidate: Candidate, { value: { name }, member }: Mark<FlowNodeMark>): DeclaredNode | OptionProblem {
  const { instance } = candidate;
  const source = member === undefined ? candidate.name : `${candidate.name}.${String(member)}`;
  const problem = (message: string): OptionProblem => ({
    path: typeof name === 'string' ? `@FlowNode('${name}')` : `@FlowNode(${String(name)})`,
    message,
  });
  if (typeof name !== 'string')
    return problem(`${source} has a name that is no text; name what 'uses' in blueprints says`);
  if (name.trim() === '') return problem(`${source} has an empty name; name what 'uses' in blueprints says`);
  if (!instance) {
    return problem(
      `${source} is request-scoped or transient, or depends on a provider that is; nodes execute outside of requests, so make it and what it depends on singletons`,
    );
  }
  if (member !== undefined) {
    if (!hasMethod(instance, member)) return problem(`${source} is no method`);
    return { name, source, implementation: methodNode(instance, member) };
  }
  const [execute, exec] = [hasMethod(instance, 'execute'), hasMethod(instance, 'exec')];
  if (execute && exec) return problem(`${source} has both execute(ctx) and exec(prepResult, ctx); keep one of them`);
  if (exec) return { name, source, implementation: lifecycleNode(instance) };
  if (execute) return { name, source, implementation: methodNode(instance, 'execute') };
  return problem(`${source} has neither execute(ctx) nor exec(prepResult, ctx); add one, or decorate a method`);
}
