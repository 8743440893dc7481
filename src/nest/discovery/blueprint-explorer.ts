import type { WorkflowBlueprint } from 'flowcraft';
import { isBlueprint, isBlueprintSource, type BlueprintSource } from '../blueprint-source.js';
import { FLOW_BLUEPRINT } from '../decorators/flow-blueprint.decorator.js';
import { marksOf } from '../decorators/marks.js';
import type { OptionProblem } from '../options-check.js';
import type { Candidate } from './candidates.js';
import { hasMethod } from './injectable-node.js';

export interface DeclaredBlueprint {
  readonly value: WorkflowBlueprint | BlueprintSource;
  /** Who declares it, for people. */
  readonly source: string;
}

/** The blueprints of `@FlowBlueprint` providers. What is wrong with them is added to `problems`. */
export async function exploreBlueprints(
  candidates: readonly Candidate[],
  problems: OptionProblem[],
): Promise<DeclaredBlueprint[]> {
  const declared: DeclaredBlueprint[] = [];
  for (const candidate of candidates) {
    for (const { member } of marksOf(FLOW_BLUEPRINT, candidate.type)) {
      const source = `${candidate.name}.${String(member ?? 'build')}`;
      try {
        declared.push({ value: await read(candidate, member ?? 'build'), source });
      } catch (error) {
        problems.push({ path: '@FlowBlueprint()', message: `${source} ${(error as Error).message}` });
      }
    }
  }
  return declared;
}

async function read(candidate: Candidate, member: string | symbol): Promise<WorkflowBlueprint | BlueprintSource> {
  const { instance } = candidate;
  if (!instance) throw new Error('belongs to a provider that is no singleton; make it one');
  const held = instance as Record<string | symbol, unknown>;
  let value: unknown;
  try {
    value = await (hasMethod(instance, member) ? (held[member] as () => unknown)() : held[member]);
  } catch (error) {
    throw new Error(`failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  if (!isBlueprint(value) && !isBlueprintSource(value))
    throw new Error('gives no blueprint; return one, or a flow of createFlow()');
  return value;
}
