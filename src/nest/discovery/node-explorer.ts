import type { NodeImplementation } from 'flowcraft';
import { FLOW_NODE, type FlowNodeMark, type FlowNodeOptions } from '../decorators/flow-node.decorator.js';
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
  /** What it does, for people. */
  readonly description?: string;
}

/** Of a node's `config` in blueprints, and names that other libraries have for them. */
const IN_CONFIG = new Set(
  'maxRetries retries retry retryDelay retryPolicy backoff attempts maxAttempts timeout timeoutMs'.split(' '),
);

/** The node types that the application declares with `@FlowNode`. What is wrong with them is added to `problems`. */
export function exploreNodes(candidates: readonly Candidate[], problems: OptionProblem[]): DeclaredNode[] {
  return candidates.flatMap((candidate) =>
    marksOf<FlowNodeMark>(FLOW_NODE, candidate.type).flatMap((mark) => {
      const wrong = optionProblems(candidate, mark);
      const declared = declare(candidate, mark);
      problems.push(...wrong);
      if ('implementation' in declared) return [withDescription(declared, mark.value.options)];
      problems.push(declared);
      return [];
    }),
  );
}

function withDescription(declared: DeclaredNode, { description }: FlowNodeOptions): DeclaredNode {
  return description === undefined ? declared : { ...declared, description };
}

function optionProblems(candidate: Candidate, { value, member }: Mark<FlowNodeMark>): OptionProblem[] {
  const given: unknown = value.options;
  const [path, source] = [pathOf(value.name), sourceOf(candidate, member)];
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return [{ path, message: `${source} has options that are no object; give { description }, or none` }];
  const { description, ...others } = given as Record<string, unknown>;
  const unknown = Object.keys(others).map((name) => {
    const next = IN_CONFIG.has(name)
      ? "retries and timeouts belong in the blueprint, in the node's config: { maxRetries, retryDelay, timeout }"
      : 'the only one is description';
    return { path, message: `${source} has the option '${name}', which there is not; ${next}` };
  });
  if (description === undefined || typeof description === 'string') return unknown;
  return [...unknown, { path, message: `${source} has a description that is no text` }];
}

function pathOf(name: unknown): string {
  return typeof name === 'string' ? `@FlowNode('${name}')` : `@FlowNode(${String(name)})`;
}

function sourceOf(candidate: Candidate, member: string | symbol | undefined): string {
  return member === undefined ? candidate.name : `${candidate.name}.${String(member)}`;
}

function declare(candidate: Candidate, { value: { name }, member }: Mark<FlowNodeMark>): DeclaredNode | OptionProblem {
  const { instance } = candidate;
  const source = sourceOf(candidate, member);
  const problem = (message: string): OptionProblem => ({ path: pathOf(name), message });
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
