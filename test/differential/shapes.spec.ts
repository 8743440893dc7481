import { beforeAll, describe, expect, it } from '@jest/globals';
import type { NodeDefinition, WorkflowBlueprint } from 'flowcraft';
import { blueprint, type NodeSpec } from '../support/blueprints.js';
import { Answers, type Tools } from './comparison.js';
import { loadTools } from './differential.js';
import { runOnFleet } from './fleet.js';
import { withBlueprints } from './fuzz-case.js';

/** How often flowcraft is asked, and in how many orders of events the engine is. */
const [ASKED, SCHEDULES] = [30, 12];

type Specs = Record<string, NodeSpec>;

/** A workflow as `blueprint` reads it, of `mix` nodes unless the specs say otherwise. */
function shape(text: string, specs: Specs = {}): WorkflowBlueprint {
  const { id, nodes, edges } = blueprint('shape', text, specs);
  const added = new Set(Object.values(specs).flatMap(idsOf));
  const own = nodes.filter((node) => !added.has(node.id));
  return { id, edges, nodes: own.map((node) => named({ ...node, uses: node.uses === 'step' ? 'mix' : node.uses })) };
}

function named(node: NodeDefinition): NodeDefinition {
  return { ...node, params: { node: node.id, ...node.params } };
}

/** Of the nodes that a node adds, and that these add. */
function idsOf({ params }: NodeSpec): string[] {
  const added = (params?.['adds'] ?? []) as NodeDefinition[];
  return added.flatMap((node) => [node.id, ...idsOf(node)]);
}

function adds(...nodes: (NodeDefinition | string)[]): NodeSpec {
  const definitions = nodes.map((node) => named(typeof node === 'string' ? { id: node, uses: 'mix' } : node));
  return { uses: 'adds', params: { adds: definitions } };
}

const rescuedBy = (fallback: string, uses = 'fail'): NodeSpec => ({ uses, config: { fallback } });
const any: NodeSpec = { config: { joinStrategy: 'any' } };

const groups: Record<string, Record<string, [text: string, specs?: Specs]>> = {
  'an edge of the blueprint from a node that is added at run time': {
    'is followed': ['c d>z', { c: adds('d') }],
    'waits at a join for both': ['c>x x>z d>z', { c: adds('d'), z: { inputs: { x: 'x', d: 'd' } } }],
    'leads on': ['c>x x>y y>z d>z z>e', { c: adds('d'), z: { inputs: { y: 'y', d: 'd' } } }],
    'leads to an any join': ['c>x x>y y>z d>z z>e', { c: adds('d'), z: any }],
    'with a condition that holds': ['c d>z?result.output>=0', { c: adds('d') }],
    'with a condition that does not hold': ['c d>z?result.output<0', { c: adds('d') }],
    'from each of several': ['c d1>z d2>z', { c: adds('d1', 'd2'), z: { inputs: { a: 'd1', b: 'd2' } } }],
    'beside the node that gathers it': [
      'c>g d>z g>e',
      { c: { ...adds('d'), params: { ...adds('d').params, gather: 'g' } } },
    ],
    'to the node that gathers it': [
      'c>g d>g g>e',
      { c: { ...adds('d'), params: { ...adds('d').params, gather: 'g' } } },
    ],
    'from one that fails': ['c d>z', { c: adds({ id: 'd', uses: 'fail' }) }],
    'in a loop': [
      's>l l>c:continue c>x x>z d>z z>l l>e:break',
      {
        s: { uses: 'set', params: { key: 'passes', value: 0 } },
        l: { uses: 'loop-controller', params: { condition: 'passes < 3', body: ['c', 'x', 'z'] }, ...any },
        c: adds('d'),
        x: { uses: 'increment', params: { key: 'passes' } },
        z: { inputs: { x: 'x', d: 'd' } },
      },
    ],
    'out of a loop': [
      's>l l>c:continue c>x x>l l>e:break d>z e>z',
      {
        s: { uses: 'set', params: { key: 'passes', value: 0 } },
        l: { uses: 'loop-controller', params: { condition: 'passes < 3', body: ['c', 'x'] }, ...any },
        c: adds('d'),
        x: { uses: 'increment', params: { key: 'passes' } },
        z: { inputs: { e: 'e', d: 'd' } },
      },
    ],
    'into a loop': [
      's>c c>l l>x:continue x>z d>z z>l l>e:break',
      {
        s: { uses: 'set', params: { key: 'passes', value: 0 } },
        l: { uses: 'loop-controller', params: { condition: 'passes < 3', body: ['x', 'z'] }, ...any },
        c: adds('d'),
        x: { uses: 'increment', params: { key: 'passes' } },
        z: { inputs: { x: 'x', d: 'd' } },
      },
    ],
    'from one that gives nothing': ['c d>z', { c: adds({ id: 'd', uses: 'empty' }) }],
    'from one that gives no result': ['c d>z', { c: adds({ id: 'd', uses: 'nothing' }) }],
    'from one that an added node adds': ['c d2>z', { c: adds({ id: 'd', ...adds('d2') } as NodeDefinition) }],
    'from one that is rescued': [
      'c d>z f>u p',
      { c: adds({ id: 'd', ...rescuedBy('f') } as NodeDefinition), p: rescuedBy('f', 'mix') },
    ],
    'from one that is rescued, to a join': [
      'c c>x x>x2 x2>x3 d>z x3>z f p',
      {
        c: adds({ id: 'd', ...rescuedBy('f') } as NodeDefinition),
        p: rescuedBy('f', 'mix'),
        z: { inputs: { f: 'f', x: 'x3' } },
      },
    ],
    'by its action': ['c d>y:x d>z:y', { c: adds({ id: 'd', uses: 'choose', params: { actions: ['x'] } }) }],
    'by an action that another has': [
      'c d>y:y d>z',
      { c: adds({ id: 'd', uses: 'choose', params: { actions: ['x'] } }) },
    ],
  },
  'an edge of the blueprint to a node that is added at run time': {
    'hands on the output of the node that adds it': ['c>d', { c: adds('d') }],
    'keeps other edges from being taken for want of a match': ['c>d c>z:never', { c: adds('d') }],
    'beside one that is taken': ['c>d c>z', { c: adds('d') }],
    'transforms it': ['s>c c>d', { c: adds('d') }],
    'hands on nothing to inputs of its own': ['s>c c>d', { c: adds({ id: 'd', uses: 'mix', inputs: 's' }) }],
  },
  'a fallback that is added at run time': {
    'has ended before it is needed': ['c>x x>y y>z z>e', { c: adds('f'), y: rescuedBy('f') }],
    'of an added node has ended before': [
      'c>x x>b d>z',
      { c: adds('f'), b: adds({ id: 'd', ...rescuedBy('f') } as NodeDefinition) },
    ],
    'is added by nobody': ['c>x x>z', { x: rescuedBy('f') }],
    'beside a failure': ['c>x x>y y>z c>b', { c: adds('f'), y: rescuedBy('f'), b: { uses: 'fail' } }],
  },
  'a fallback that has run as an ordinary node': {
    'before the failure': ['s>f s>a a>b b>x x>z f>u', { x: rescuedBy('f') }],
    'before the failure, without edges of its own': ['s>f s>a a>b b>x x>z', { x: rescuedBy('f') }],
    'before a success': ['s>f s>a a>b b>x x>z', { x: rescuedBy('f', 'mix') }],
    'before the failure of a predecessor of a join': ['s>f s>a a>b b>x x>z s>y y>z', { x: rescuedBy('f') }],
    'before a failure, at an any join': ['s>f s>a a>b b>x x>z', { x: rescuedBy('f'), z: any }],
    'before one of two failures': ['s>x1 s>a a>b b>c c>x2 x1>z1 x2>z2 f', { x1: rescuedBy('f'), x2: rescuedBy('f') }],
    'before a failure and a success': [
      's>x1 s>a a>b b>c c>x2 x1>z1 x2>z2 f',
      { x1: rescuedBy('f'), x2: rescuedBy('f', 'mix') },
    ],
    'to which an edge leads from the node that it stands in for': ['x>f f>z', { x: rescuedBy('f') }],
    'to which edges lead from that node and another': ['x>f s>a a>f f>z', { x: rescuedBy('f') }],
    'whose edge comes after the failure': ['s>x s>a a>b b>f x>z', { x: rescuedBy('f') }],
    'whose edge is not taken after the failure': ['s>x s>a a>b b>f:never x>z', { x: rescuedBy('f') }],
    'whose edge was not taken before the failure': ['s>f:never s>a a>x x>z', { x: rescuedBy('f') }],
    'whose join is incomplete at the failure': ['s>x s>a a>b b>f s>f x>z', { x: rescuedBy('f') }],
    'beside the failure, at an any join': ['a>f a>x x>z', { x: rescuedBy('f'), z: any }],
    'with several edges into it, all of them taken before': ['s>f s>a a>b b>x x>z a>f', { x: rescuedBy('f') }],
  },
  'keys that have the names of outputs': {
    'the output of an earlier node': [
      'a>w w>l',
      { w: { uses: 'write', params: { values: { '_outputs.a': 1 } } }, l: look('a', '_outputs.a') },
    ],
    'the name of an earlier node': [
      'a>w w>l',
      { w: { uses: 'write', params: { values: { a: 1 } } }, l: look('a', '_outputs.a') },
    ],
    both: [
      'a>w w>l',
      { w: { uses: 'write', params: { values: { a: 1, '_outputs.a': 2 } } }, l: look('a', '_outputs.a') },
    ],
    'both, the other way round': [
      'a>w w>l',
      { w: { uses: 'write', params: { values: { '_outputs.a': 2, a: 1 } } }, l: look('a', '_outputs.a') },
    ],
    'one that is deleted': [
      'a>w w>l',
      { w: { uses: 'write', params: { values: { '_outputs.a': null } } }, l: look('a', '_outputs.a') },
    ],
    'the other that is deleted': [
      'a>w w>l',
      { w: { uses: 'write', params: { values: { a: null } } }, l: look('a', '_outputs.a') },
    ],
    'the output of no node': [
      'a>w w>l',
      { w: { uses: 'write', params: { values: { '_outputs.q': 1 } } }, l: look('q', '_outputs.q') },
    ],
    'the output of a later node': [
      'w>x x>l l>m',
      {
        w: { uses: 'write', params: { values: { '_outputs.l': 1 } } },
        x: look('l', '_outputs.l'),
        m: look('l', '_outputs.l'),
      },
    ],
    'its own output': [
      'w>l',
      { w: { uses: 'write', params: { values: { '_outputs.w': 1, w: 2 } } }, l: look('w', '_outputs.w') },
    ],
    'its own output, without a result': [
      'w>l',
      { w: { uses: 'write', params: { values: { '_outputs.w': 1 }, without: true } }, l: look('w', '_outputs.w') },
    ],
    'a key of the initial context': [
      'w>l',
      { w: { uses: 'write', params: { values: { '_outputs.base': 1 } } }, l: look('base', '_outputs.base') },
    ],
  },
};

function look(...keys: string[]): NodeSpec {
  return { uses: 'look', params: { keys } };
}

describe.each(Object.entries(groups))('%s', (_group, shapes) => {
  let tools: Tools;
  beforeAll(async () => {
    tools = await loadTools();
  });

  it.each(Object.entries(shapes))('%s', async (_name, [text, specs]) => {
    const kase = withBlueprints(1, 'shape', { main: shape(text, specs) });
    const answers = new Answers(tools, kase);
    for (let seed = 0; seed < ASKED; seed++) await answers.inRounds(seed);
    for (let seed = 1; seed <= SCHEDULES; seed++)
      expect({ seed, wrong: answers.wrongIn(await runOnFleet(kase, seed)) }).toEqual({ seed, wrong: [] });
  });
});
