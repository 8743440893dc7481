import type { NodeDefinition } from 'flowcraft';
import { configProblems } from '../core/blueprint-check.js';
import { isTextDeeperThan } from '../core/depth.js';
import type { FlowcraftKafkaErrorOptions } from '../core/errors.js';
import { DynamicNodeInvalidError, FanOutTooLargeError } from '../core/limit-errors.js';
import { nodeProblem } from '../core/plan.js';
import { MAX_VALUE_DEPTH } from '../core/value-codec.js';

/**
 * Refuses nodes that could not be kept, sent or told apart.
 * @throws FanOutTooLargeError, DynamicNodeInvalidError
 */
export function assertDynamicNodes(nodes: unknown, maxFanOut: number, ids: FlowcraftKafkaErrorOptions): void {
  if (nodes === undefined || nodes === null) return;
  if (!Array.isArray(nodes)) throw new DynamicNodeInvalidError('is given, but no list', ids);
  if (nodes.length > maxFanOut) throw new FanOutTooLargeError(nodes.length, maxFanOut, ids);
  for (const node of nodes as (Partial<NodeDefinition> | null | undefined)[]) {
    const problem = typeof node === 'object' && node !== null ? problemOf(node as NodeDefinition) : 'is no object';
    if (problem !== undefined) throw new DynamicNodeInvalidError(problem, ids);
  }
  let text: string;
  try {
    text = JSON.stringify(nodes);
  } catch (cause) {
    throw new DynamicNodeInvalidError('is no JSON data', { ...ids, cause });
  }
  if (isTextDeeperThan(text, MAX_VALUE_DEPTH)) throw new DynamicNodeInvalidError('is nested too deeply', ids);
}

function problemOf(node: NodeDefinition): string | undefined {
  const problem = nodeProblem(node);
  if (problem !== undefined) return problem;
  const [wrong] = configProblems(node);
  return wrong && `has a ${wrong.field} that ${wrong.message} (node '${node.id}')`;
}
