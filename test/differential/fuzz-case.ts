import type { WorkflowBlueprint } from 'flowcraft';
import type { Case } from '../conformance/corpus.js';
import { Random } from '../simulation/world/random.js';
import { Composer } from './composed.js';
import { nodeTypes } from './node-types.js';
import { tangle } from './tangled.js';

export interface FuzzCase extends Case {
  readonly seed: number;
}

/** The same seed gives the same workflow everywhere. Odd seeds are tangled, even ones composed. */
export function fuzzCase(seed: number): FuzzCase {
  const random = new Random(seed, 'workflow');
  const name = `fuzz-${seed}`;
  const blueprints =
    seed % 2 === 1
      ? tangle(random, name)
      : new Composer(random, name).compose(1 + random.int(random.chance(0.3) ? 20 : 9));
  return withBlueprints(seed, name, blueprints);
}

export function withBlueprints(seed: number, name: string, blueprints: Record<string, WorkflowBlueprint>): FuzzCase {
  return { seed, name, blueprints, registry: nodeTypes, initialContext: { base: seed % 7 }, steps: [{ run: true }] };
}
