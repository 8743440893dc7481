import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { WorkflowBlueprint } from 'flowcraft';
import { blueprint, SHAPES, type NodeSpec } from './blueprints.js';
import { batchOf, dynamicNodes, targetsOf, type Decide } from './ledger-walk.js';

const IDS = 'abcdefgh'.split('');

/** Random graphs without cycles, with joins of all kinds and with fallbacks. */
export const acyclicBlueprints: fc.Arbitrary<WorkflowBlueprint> = fc
  .record({
    size: fc.integer({ min: 2, max: IDS.length }),
    edges: fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { minLength: 1, maxLength: 14 }),
    joins: fc.array(fc.constantFrom('all', 'all', 'all', 'any', 'first', 'settled'), { minLength: 8, maxLength: 8 }),
    fallbacks: fc.uniqueArray(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 2, selector: ([node]) => node }),
  })
  .map(({ size, edges, joins, fallbacks }) => {
    const id = (n: number) => IDS[n % size] ?? 'a';
    const specs: Record<string, NodeSpec> = {};
    for (let i = 0; i < size; i++) specs[id(i)] = { config: { joinStrategy: joins[i] as 'all' | 'any' } };
    // A fallback is a node of its own, as in the guide: only nodes behind it may follow.
    const rescuers = fallbacks.map(([node], i) => ({ node: id(node), rescuer: `f${i}` }));
    for (const { node, rescuer } of rescuers) specs[node] = { config: { ...specs[node]?.config, fallback: rescuer } };
    const words = edges.map(([from, to]) => [from % size, to % size] as const).filter(([from, to]) => from < to);
    return blueprint(
      'acyclic',
      [...new Set(words.map(([from, to]) => `${id(from)}>${id(to)}`)), ...rescuers.map((r) => r.rescuer)].join(' '),
      specs,
    );
  });

export const shapedBlueprints: fc.Arbitrary<WorkflowBlueprint> = fc.constantFrom(...Object.values(SHAPES));

/**
 * Decisions that look random and depend on the turn alone: which edges are taken, which nodes fail, how often a loop
 * goes round, how many nodes are added.
 */
export function decisions(seed: number): Decide {
  return ({ node: id, turn }, plan) => {
    const dice = createHash('sha256').update(`${seed} ${id} ${turn}`).digest();
    const node = plan.nodes.get(id);
    const targets = targetsOf(plan, id);
    if (!node) return (dice[0] ?? 0) < 40 ? { status: 'failed' } : {};
    if (node.isController) {
      const pass = Number(/\d+$/.exec(turn)?.[0] ?? 9);
      const goesOn = pass < 1 + ((dice[0] ?? 0) % 3);
      return {
        taken: targets.filter((target) =>
          node.edges.some((e) => e.target === target && (e.action === 'continue') === goesOn),
        ),
      };
    }
    if ((dice[0] ?? 0) < 60)
      return node.fallback === undefined ? { status: 'failed' } : { status: 'failed', rescuer: node.fallback };
    if (node.definition.uses === 'batch-scatter') {
      return {
        taken: targets,
        ...((dice[2] ?? 0) < 128
          ? { batch: batchOf({ node: id, turn }, (dice[1] ?? 0) % 9) }
          : { dynamicNodes: dynamicNodes({ node: id, turn }, (dice[1] ?? 0) % 4) }),
        gather: String(node.definition.params?.['gatherNodeId']),
      };
    }
    // A cycle through `any` joins goes round a few times, then not again.
    const again = turn.length < 20;
    return { taken: targets.filter((target, i) => (dice[2 + i] ?? 0) < 200 && (again || !target.startsWith('p'))) };
  };
}
