import { describe, expect, it } from '@jest/globals';
import type { WorkflowBlueprint } from 'flowcraft';
import { BlueprintInvalidError } from '../../../src/core/errors.js';
import { planBlueprint, stableJson, type PlanNode } from '../../../src/core/plan.js';
import { blueprint, CONTROLLER, SHAPES } from '../../support/blueprints.js';

function nodeOf(bp: WorkflowBlueprint, id: string): PlanNode {
  const node = planBlueprint(bp).nodes.get(id);
  if (!node) throw new Error(`There is no node ${id}.`);
  return node;
}

describe('starts', () => {
  it('are the nodes that no edge leads to', () => {
    expect(planBlueprint(blueprint('b', 'a>c b>c d')).startNodeIds).toEqual(['a', 'b', 'd']);
    expect(planBlueprint(SHAPES.diamond).startNodeIds).toEqual(['a']);
  });

  it('are not the fallbacks of others', () => {
    expect(planBlueprint(SHAPES.fallback).startNodeIds).toEqual(['a']);
    expect(planBlueprint(SHAPES.shared).startNodeIds).toEqual(['a']);
  });

  it('of nothing but cycles are the declared entry points, else the first node of each cycle', () => {
    const cycles = blueprint('b', 'a>b b>a x>y y>x');
    expect(planBlueprint(cycles).startNodeIds).toEqual(['a', 'x']);
    expect(planBlueprint({ ...cycles, metadata: { cycleEntryPoints: ['b', 'nobody'] } }).startNodeIds).toEqual([
      'b',
      'x',
    ]);
  });

  it('of a graph with a start are not its cycles', () => {
    expect(planBlueprint(blueprint('b', 's>a a>b b>a x>y y>x')).startNodeIds).toEqual(['s']);
  });
});

describe('loops', () => {
  it('have the nodes between the controller and its way back as body', () => {
    const bp = SHAPES.loop;
    expect([...nodeOf(bp, 'l').body].sort()).toEqual(['w', 'x', 'y', 'z']);
    expect(nodeOf(bp, 'l')).toMatchObject({ isController: true, loops: [] });
    for (const id of ['x', 'y', 'z', 'w']) expect(nodeOf(bp, id).loops).toEqual(['l']);
    for (const id of ['start', 'end']) expect(nodeOf(bp, id)).toMatchObject({ isController: false, loops: [] });
  });

  it('hold the loops nested in them, outermost first', () => {
    const bp = SHAPES.nested;
    expect([...nodeOf(bp, 'o').body].sort()).toEqual(['e', 'i', 'x']);
    expect([...nodeOf(bp, 'i').body]).toEqual(['x']);
    expect(nodeOf(bp, 'x').loops).toEqual(['o', 'i']);
    expect(nodeOf(bp, 'i').loops).toEqual(['o']);
    expect(nodeOf(bp, 'e').loops).toEqual(['o']);
    expect(nodeOf(bp, 'end').loops).toEqual([]);
  });

  it('nested three deep name all the loops around a node in order', () => {
    const bp = blueprint(
      'three',
      's>a a>b:continue b>c:continue c>x:continue x>c c>y:break y>b b>z:break z>a a>end:break',
      {
        a: CONTROLLER,
        b: CONTROLLER,
        c: CONTROLLER,
      },
    );
    expect(nodeOf(bp, 'x').loops).toEqual(['a', 'b', 'c']);
    expect(nodeOf(bp, 'y').loops).toEqual(['a', 'b']);
    expect(nodeOf(bp, 'z').loops).toEqual(['a']);
  });

  it('one after the other do not hold each other', () => {
    const bp = blueprint('two', 's>a a>x:continue x>a a>b:break b>y:continue y>b b>end:break', {
      a: CONTROLLER,
      b: CONTROLLER,
    });
    expect([...nodeOf(bp, 'a').body]).toEqual(['x']);
    expect([...nodeOf(bp, 'b').body]).toEqual(['y']);
    expect(nodeOf(bp, 'b').loops).toEqual([]);
  });

  it('hold the fallbacks of their nodes', () => {
    expect(nodeOf(SHAPES.rescueInLoop, 'f').loops).toEqual(['l']);
  });

  it('without a way to continue are refused', () => {
    const broken = blueprint('broken', 's>l l>end:break', { l: CONTROLLER });
    expect(() => planBlueprint(broken)).toThrow(BlueprintInvalidError);
    expect(() => planBlueprint(broken)).toThrow(/continue/);
  });
});

describe('a node', () => {
  it('knows its distinct predecessors and existing targets', () => {
    const bp = blueprint('b', 'a>c:x a>c:y b>c c>d');
    bp.edges.push({ source: 'c', target: 'nowhere' }, { source: 'ghost', target: 'd' });
    expect(nodeOf(bp, 'c').predecessors).toEqual(['a', 'b']);
    expect(nodeOf(bp, 'c').targets).toEqual(['d']);
    expect(nodeOf(bp, 'a').targets).toEqual(['c']);
    expect(nodeOf(bp, 'd').predecessors).toEqual(['c', 'ghost']);
  });

  it('knows its join strategy; an unknown one is all', () => {
    const bp = blueprint('b', 'a b c d e', {
      b: { config: { joinStrategy: 'any' } },
      c: { config: { joinStrategy: 'first' as 'any' } },
      d: { config: { joinStrategy: 'settled' as 'any' } },
      e: { config: { joinStrategy: 'sometimes' as 'any' } },
    });
    expect(['a', 'b', 'c', 'd', 'e'].map((id) => nodeOf(bp, id).join)).toEqual([
      'all',
      'any',
      'first',
      'settled',
      'all',
    ]);
  });

  it('knows whom it stands in for, over chains and circles of fallbacks', () => {
    const bp = blueprint('b', 'a f g', { a: { config: { fallback: 'f' } }, f: { config: { fallback: 'g' } } });
    expect(nodeOf(bp, 'f').rescues).toEqual(['a']);
    expect(nodeOf(bp, 'g').rescues).toEqual(['f', 'a']);
    const circle = blueprint('c', 's a b', { a: { config: { fallback: 'b' } }, b: { config: { fallback: 'a' } } });
    expect(nodeOf(circle, 'a').rescues).toEqual(['b']);
  });

  it('knows whether a condition guards one of its edges', () => {
    const bp = blueprint('b', 'a>b?result.ok a>c');
    expect(nodeOf(bp, 'b').hasConditionalEntry).toBe(true);
    expect(nodeOf(bp, 'c').hasConditionalEntry).toBe(false);
  });
});

describe('a plan', () => {
  it('has the hash of the content, whatever the order of keys and whatever the editor added', () => {
    const plain = blueprint('b', 'a>b', { a: { params: { x: 1, y: { z: 2, w: 3 } } } });
    const shuffled = {
      edges: plain.edges,
      nodes: plain.nodes.map((n) => ({
        position: { x: 5 },
        ...(n.id === 'a' ? { params: { y: { w: 3, z: 2 }, x: 1 } } : {}),
        uses: n.uses,
        id: n.id,
      })),
      id: 'b',
    } as WorkflowBlueprint;
    expect(planBlueprint(shuffled).hash).toBe(planBlueprint(plain).hash);
    expect(planBlueprint(blueprint('b', 'a>b', { a: { params: { x: 2 } } })).hash).not.toBe(planBlueprint(plain).hash);
    expect(planBlueprint({ ...plain, metadata: { version: '2' } }).hash).not.toBe(planBlueprint(plain).hash);
  });

  it('is the same for what was stored and read again', () => {
    for (const shape of Object.values(SHAPES)) {
      const plan = planBlueprint(shape);
      expect(planBlueprint(JSON.parse(JSON.stringify(plan.blueprint)) as WorkflowBlueprint).hash).toBe(plan.hash);
    }
  });

  it('has the version of the blueprint, or none', () => {
    expect(planBlueprint({ ...SHAPES.chain, metadata: { version: '1.2' } }).version).toBe('1.2');
    expect(planBlueprint(SHAPES.chain).version).toBeNull();
  });

  it('cannot be changed, and does not change with the blueprint that was given', () => {
    const given = blueprint('b', 'a>b', { a: { params: { x: 1 } } });
    const plan = planBlueprint(given);
    const before = plan.hash;
    given.nodes[0] = { id: 'other', uses: 'step' };
    expect(plan.nodes.get('a')?.definition.params).toEqual({ x: 1 });
    expect(() => {
      (plan.blueprint.nodes[0] as { uses: string }).uses = 'other';
    }).toThrow(TypeError);
    expect(planBlueprint(plan.blueprint).hash).toBe(before);
  });

  it('refuses node ids that would break the fields of the ledger, and ids that occur twice', () => {
    expect(() => planBlueprint(blueprint('b', 'a', { 'a\u001fb': {} }))).toThrow(BlueprintInvalidError);
    const twice = blueprint('b', 'a');
    twice.nodes.push({ id: 'a', uses: 'step' });
    expect(() => planBlueprint(twice)).toThrow(/two nodes 'a'/);
  });

  it('of a long chain does not exhaust the stack', () => {
    const text = Array.from({ length: 3000 }, (_, i) => `n${i}>n${i + 1}`).join(' ');
    expect(planBlueprint(blueprint('long', text)).nodes.size).toBe(3001);
  });
});

it('stable JSON sorts keys at every depth and keeps lists as they are', () => {
  expect(stableJson({ b: [{ d: 1, c: 2 }], a: null })).toBe('{"a":null,"b":[{"c":2,"d":1}]}');
});
