import { describe, expect, it } from '@jest/globals';
import { FlowRuntime, type FlowcraftEvent, type NodeRegistry, type WorkflowBlueprint } from 'flowcraft';
import { planBlueprint } from '../../../src/core/plan.js';
import { hasPlainEdges } from '../../../src/engine/plain-edges.js';
import { startApp } from '../../support/nest-app.js';

const node = (id: string, more: object = {}) => ({ id, uses: 'step', ...more });
const blueprint: WorkflowBlueprint = {
  id: 'plain',
  nodes: [node('a'), node('b'), node('c', { inputs: 'a' }), node('d')],
  edges: [
    { source: 'a', target: 'b' },
    { source: 'a', target: 'c' },
    { source: 'b', target: 'd' },
    { source: 'c', target: 'd' },
    { source: 'c', target: 'nowhere' },
  ],
};
const registry: NodeRegistry = {
  step: async ({ input }) => ({ output: `${String(input ?? 'start')}.` }),
};

/** Of each node, what is told of changes that its end makes. */
function changes() {
  const told = new Map<string, string[]>();
  const emit = async ({ type, payload }: FlowcraftEvent) => {
    if (type !== 'context:change') return;
    const { key, op, value, sourceNode } = payload;
    told.set(key, [...(told.get(key) ?? []), JSON.stringify({ op, value, sourceNode })]);
  };
  return { told, runtime: { registry, blueprints: { plain: blueprint }, eventBus: { emit } } };
}

describe('edges that decide nothing', () => {
  it('are told of to those who listen as by flowcraft, and lead to the same context', async () => {
    const theirs = changes();
    const expected = await new FlowRuntime(theirs.runtime).run(blueprint, {});
    const ours = changes();
    const { app, run } = await startApp({ runtime: ours.runtime });
    const { result } = await run('plain');
    await app.close();
    const { _executionId: _theirs, ...context } = expected.context;
    expect(result?.context).toMatchObject(context);
    const keys = [...theirs.told.keys()].filter((key) => /^(_outputs\.|_inputs\.|[abcd]$)/.test(key));
    expect(keys.length).toBeGreaterThan(8);
    // of the two inputs of 'd' either may come first
    for (const key of keys) expect([key, ours.told.get(key)?.sort()]).toEqual([key, theirs.told.get(key)?.sort()]);
  });

  it('are those of a node that adds nothing, returns no action and stands in for none', () => {
    const edge = { source: 'a', target: 'b' };
    const isPlain = (edges: object[], result: object = {}, nodes: object[] = [node('a'), node('b')]) =>
      hasPlainEdges(planBlueprint({ id: 'x', nodes, edges } as WorkflowBlueprint), 'a', { output: 1, ...result });
    expect(isPlain([edge])).toBe(true);
    expect(isPlain([edge], { dynamicNodes: [] })).toBe(true);
    expect(isPlain([edge], { action: 'go' })).toBe(false);
    expect(isPlain([edge], { dynamicNodes: [node('e')] })).toBe(false);
    expect(isPlain([edge, { ...edge, action: 'go' }])).toBe(false);
    expect(isPlain([edge, { ...edge, condition: 'true' }])).toBe(false);
    expect(isPlain([{ ...edge, transform: 'input' }])).toBe(false);
    expect(isPlain([edge], {}, [node('a'), node('b'), node('c', { config: { fallback: 'a' } })])).toBe(false);
    expect(isPlain([{ source: 'a', target: 'nowhere' }])).toBe(false);
    expect(isPlain([edge, { source: 'added', target: 'b' }])).toBe(false);
    expect(isPlain([])).toBe(false);
  });
});
