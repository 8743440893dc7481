import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LedgerState } from '../../../src/core/ledger-state.js';
import { planBlueprint } from '../../../src/core/plan.js';
import { blueprint, CONTROLLER, SHAPES, type NodeSpec } from '../../support/blueprints.js';
import { dynamicNodes, LedgerWalk, takeAll, type Decide } from '../../support/ledger-walk.js';

/** Each choice in the given orders of settling and repeating must end in the same way. */
const anyOrder = fc.tuple(fc.infiniteStream(fc.nat(1000)), fc.infiniteStream(fc.nat(1000)));

function walkIn(walk: LedgerWalk, [order, repeats]: [fc.Stream<number>, fc.Stream<number>]): LedgerWalk {
  const draw = () => repeats.next().value;
  return walk.finish((count) => {
    for (let times = draw() % 3; times > 0; times--)
      walk.redeliver(walk.journal[draw() % Math.max(1, walk.journal.length)]);
    return order.next().value % count;
  });
}

/** Goes round every loop so often, then leaves it. */
const passes =
  (count: number, also: Decide = takeAll): Decide =>
  (turn, plan) => {
    const node = plan.nodes.get(turn.node);
    if (!node?.isController) return also(turn, plan);
    const goesOn = Number(/\d+$/.exec(turn.turn)?.[0]) <= count;
    return { taken: node.edges.filter((e) => (e.action === 'continue') === goesOn).map((e) => e.target) };
  };

describe('a join of all', () => {
  it('fires once, and not before its last predecessor, in every order and with every repetition', () => {
    fc.assert(
      fc.property(fc.constantFrom(SHAPES.diamond, SHAPES.wide), anyOrder, (shape, order) => {
        const plan = planBlueprint(shape);
        const walk = walkIn(new LedgerWalk(plan), order);
        expect([...walk.executed].sort()).toEqual([...plan.nodes.keys()].map((id) => `${id}@1`).sort());
        expect(walk.executed.at(-1)).toBe(shape === SHAPES.wide ? 'z@1' : 'd@1');
      }),
    );
  });

  it('without a taken edge does not fire', () => {
    const walk = new LedgerWalk(planBlueprint(SHAPES.diamond), ({ node }) => ({
      taken: node === 'a' ? ['b', 'c'] : [],
    })).finish();
    expect(walk.executed).toEqual(['a@1', 'b@1', 'c@1']);
  });

  it('does not fire when a predecessor was never taken', () => {
    const all = blueprint('choice', 'a>b:yes a>c:no b>d c>d');
    const walk = new LedgerWalk(planBlueprint(all), ({ node }) => ({ taken: node === 'a' ? ['b'] : ['d'] })).finish();
    expect(walk.executed).toEqual(['a@1', 'b@1']);
    expect(walk.state.counts().open).toBe(0);
  });

  it('needs an edge from a predecessor that comes last, counted in rounds, in every order', () => {
    // j's predecessors: s at once, z after two others
    const plan = planBlueprint(blueprint('long', 's>j x>y y>z z>j'));
    const takes = (z: string[], order: [fc.Stream<number>, fc.Stream<number>]) =>
      walkIn(
        new LedgerWalk(plan, ({ node }) => ({ taken: { s: ['j'], x: ['y'], y: ['z'], z }[node] ?? [] })),
        order,
      ).executed.includes('j@1');
    fc.assert(
      fc.property(anyOrder, (order) => {
        expect(takes(['j'], order)).toBe(true);
        expect(takes([], order)).toBe(false);
      }),
    );
  });

  it('of two predecessors in one round needs one that takes its edge', () => {
    const plan = planBlueprint(blueprint('even', 'a>j b>j'));
    fc.assert(
      fc.property(anyOrder, (order) => {
        const walk = new LedgerWalk(plan, ({ node }) => ({ taken: node === 'a' ? ['j'] : [] }));
        expect(walkIn(walk, order).executed).toContain('j@1');
      }),
    );
  });

  it('counts an answer from outside as later than all that needs none', () => {
    const plan = planBlueprint(blueprint('answer', 'w>j x>y y>j', { w: { uses: 'wait' } }));
    fc.assert(
      fc.property(anyOrder, (order) => {
        const walk = new LedgerWalk(plan, ({ node }) => ({ taken: { w: ['j'], x: ['y'] }[node] ?? [] }));
        expect(walkIn(walk, order).executed).toContain('j@1');
      }),
    );
  });

  it('is made ready by its last predecessors only', () => {
    const plan = planBlueprint(blueprint('skip', 'a>b a>j b>j'));
    const takes = (b: string[]) =>
      new LedgerWalk(plan, ({ node }) => ({ taken: { a: ['b', 'j'], b }[node] ?? [] })).finish().executed;
    expect(takes(['j'])).toEqual(['a@1', 'b@1', 'j@1']);
    expect(takes([])).toEqual(['a@1', 'b@1']);
  });
});

describe('a join of any', () => {
  it('fires once for each arrival, one after the other', () => {
    fc.assert(
      fc.property(anyOrder, (order) => {
        const walk = walkIn(new LedgerWalk(planBlueprint(SHAPES.any)), order);
        expect(walk.executed.filter((t) => t.startsWith('d@')).sort()).toEqual(['d@b', 'd@c']);
      }),
    );
    const walk = new LedgerWalk(planBlueprint(SHAPES.any));
    walk.step('a');
    expect(walk.step('b')).toEqual(['d@b']);
    expect(walk.step('c')).toEqual([]);
    expect(walk.step('d', 'b')).toContain('d@c');
  });

  it('that has been ready is not made ready by a node to which no edge was a match', () => {
    const plan = planBlueprint(blueprint('silent', 'a>j b>j', { j: { config: { joinStrategy: 'any' } } }));
    const walk = new LedgerWalk(plan, ({ node }) => ({
      taken: node === 'j' ? [] : ['j'],
      ...(node === 'b' ? { output: undefined } : {}),
    }));
    expect(walk.step('a')).toEqual(['j@a']);
    expect(walk.step('b')).toEqual([]);
    expect(walk.finish().executed).toEqual(['a@1', 'b@1', 'j@a']);
    expect(new LedgerWalk(plan, () => ({ taken: ['j'], output: undefined })).step('b')).toEqual(['j@b']);
  });

  it('lets the next arrival go on while the one before it waits', () => {
    const plan = planBlueprint(SHAPES.any);
    const walk = new LedgerWalk(plan, (turn, p) => (turn.turn === 'b' ? { status: 'awaiting' } : takeAll(turn, p)));
    walk.step('a');
    walk.step('b');
    walk.step('c');
    expect(walk.step('d', 'b')).toEqual(['d@c']);
  });
});

describe('loops', () => {
  it('run their body once in each pass, in every order and with every repetition', () => {
    fc.assert(
      fc.property(fc.nat(4), anyOrder, (count, order) => {
        const walk = walkIn(new LedgerWalk(planBlueprint(SHAPES.loop), passes(count)), order);
        const all = Array.from({ length: count }, (_, i) => String(i + 1));
        const expected = ['x', 'y', 'z', 'w'].flatMap((id) => all.map((pass) => `${id}@${pass}`));
        const controller = [...all, String(count + 1)].map((pass) => `l@${pass}`);
        expect([...walk.executed].sort()).toEqual(['start@1', 'end@1', ...expected, ...controller].sort());
      }),
    );
  });

  it('nested run their body in each pass of each pass', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), anyOrder, (count, order) => {
        const walk = walkIn(new LedgerWalk(planBlueprint(SHAPES.nested), passes(count)), order);
        const times = (id: string) => walk.executed.filter((turn) => turn.startsWith(`${id}@`)).length;
        expect([times('o'), times('i'), times('x'), times('e'), times('end')]).toEqual([
          count + 1,
          count * (count + 1),
          count * count,
          count,
          1,
        ]);
        expect(new Set(walk.executed).size).toBe(walk.executed.length);
      }),
    );
  });

  it('entered by a plain node of the loop around them count their passes anew', () => {
    const bp = blueprint('plain', 's>o o>p:continue p>i i>x:continue x>i i>e:break e>o o>end:break', {
      o: CONTROLLER,
      i: CONTROLLER,
    });
    const { executed } = new LedgerWalk(planBlueprint(bp), passes(1)).finish();
    expect(executed.filter((turn) => turn.startsWith('i@'))).toEqual(['i@1.1', 'i@1.2']);
    expect(executed).toContain('x@1/1.1');
  });

  it('see what ran before them in every pass', () => {
    const bp = blueprint('outside', 'a>l a>j l>x:continue x>j j>l l>end:break', { l: CONTROLLER });
    const { executed } = new LedgerWalk(planBlueprint(bp), passes(2)).finish();
    expect(executed.filter((turn) => turn.startsWith('j@'))).toEqual(['j@1', 'j@2']);
  });

  it('that do not end stop at the most turns of a run', () => {
    const walk = new LedgerWalk(planBlueprint(SHAPES.loop), passes(1e9), 100);
    let stoppedAt: string | undefined;
    for (let open = walk.open[0]; open; open = walk.open[0])
      stoppedAt = walk.settle(walk.claim(open)).tooManyTurnsAt ?? stoppedAt;
    expect(stoppedAt).toBeDefined();
    expect(walk.executed.length).toBe(100);
    expect(walk.state.counts().open).toBe(0);
  });
});

describe('batches', () => {
  const batch =
    (count: number): Decide =>
    (turn, plan) =>
      turn.node === 's' ? { taken: ['g'], dynamicNodes: dynamicNodes(turn, count), gather: 'g' } : takeAll(turn, plan);

  it('gather once, after the last of their nodes, in every order and with every repetition', () => {
    fc.assert(
      fc.property(fc.nat(5), anyOrder, (count, order) => {
        const walk = walkIn(new LedgerWalk(planBlueprint(SHAPES.batch), batch(count)), order);
        expect(walk.executed.slice(-2)).toEqual(['g@1', 'z@1']);
        expect(walk.executed).toHaveLength(count + 4);
      }),
    );
  });

  it('in a loop gather in each pass', () => {
    const specs = {
      l: CONTROLLER,
      s: SHAPES.batch.nodes.find((n) => n.id === 's') ?? {},
      g: SHAPES.batch.nodes.find((n) => n.id === 'g') ?? {},
    };
    const bp = blueprint('loop', 'a>l l>s:continue s>g g>l l>end:break', specs);
    fc.assert(
      fc.property(anyOrder, (order) => {
        const walk = walkIn(new LedgerWalk(planBlueprint(bp), passes(3, batch(2))), order);
        expect(walk.executed.filter((turn) => turn.startsWith('g@'))).toEqual(['g@1', 'g@2', 'g@3']);
        expect(walk.executed.at(-1)).toBe('end@1');
      }),
    );
  });
});

describe('a join of what has settled', () => {
  const settled = (text: string, also: Record<string, NodeSpec> = {}) =>
    planBlueprint(blueprint('settled', text, { d: { config: { joinStrategy: 'settled' } as never }, ...also }));
  /** Takes these edges only, and fails these nodes. */
  const takes =
    (edges: Record<string, string[]>, ...failing: string[]): Decide =>
    (turn, plan) =>
      failing.includes(turn.node)
        ? { status: 'failed' }
        : { taken: edges[turn.node] ?? takeAll(turn, plan).taken ?? [] };

  it('fires once, when the taken branches have come to it, however long the untaken ones are', () => {
    const plan = settled('a>b:yes a>c:no a>x b>d c>y y>z z>d x>d d>e');
    fc.assert(
      fc.property(anyOrder, (order) => {
        const walk = walkIn(new LedgerWalk(plan, takes({ a: ['b', 'x'] })), order);
        expect([...walk.executed].sort()).toEqual(['a@1', 'b@1', 'd@1', 'e@1', 'x@1']);
        expect(walk.executed.slice(-2)).toEqual(['d@1', 'e@1']);
      }),
    );
  });

  it('takes a failed predecessor, and one that a failure keeps from running, for settled', () => {
    const plan = settled('a>b a>c b>m m>d c>d');
    fc.assert(
      fc.property(anyOrder, (order) => {
        const walk = walkIn(new LedgerWalk(plan, takes({}, 'b')), order);
        expect(walk.executed.at(-1)).toBe('d@1');
        expect(walk.executed).not.toContain('m@1');
      }),
    );
  });

  it('waits for a join of all that never comes to run only until it cannot', () => {
    const plan = settled('a>b a>c a>x b>m c>m m>d x>d');
    const walk = new LedgerWalk(plan, takes({ a: ['b', 'x'] }));
    walk.step('a');
    expect(walk.step('x')).toEqual([]);
    expect(walk.step('b')).toEqual(['d@1']);
  });

  it('needs an edge that is taken', () => {
    const walk = new LedgerWalk(settled('a>b a>c b>d c>d'), takes({ b: [] }, 'c')).finish();
    expect(walk.executed).not.toContain('d@1');
    expect(walk.state.counts().open).toBe(0);
  });

  it('fires in each pass of a loop, with what that pass took', () => {
    const plan = planBlueprint(SHAPES.settledLoop);
    const skipsInSecond = passes(3, (turn, p) =>
      turn.node === 'y' && turn.turn === '2' ? { taken: [] } : takeAll(turn, p),
    );
    fc.assert(
      fc.property(anyOrder, (order) => {
        const walk = walkIn(new LedgerWalk(plan, skipsInSecond), order);
        expect(walk.executed.filter((turn) => turn.startsWith('d@'))).toEqual(['d@1', 'd@2', 'd@3']);
        expect(walk.executed.at(-1)).toBe('end@1');
      }),
    );
  });

  it('behind a cycle fires after the last time round', () => {
    fc.assert(
      fc.property(anyOrder, (order) => {
        const again: Decide = ({ node, turn }, plan) =>
          node === 'q' ? { taken: [turn.length < 6 ? 'p' : 'd'] } : takeAll({ node, turn }, plan);
        const walk = walkIn(new LedgerWalk(planBlueprint(SHAPES.settledCycle), again), order);
        expect(walk.executed.filter((turn) => turn === 'd@1')).toHaveLength(1);
        expect(walk.executed.slice(-2)).toEqual(['d@1', 'r@1']);
      }),
    );
  });

  it('behind another of its kind fires after that', () => {
    fc.assert(
      fc.property(anyOrder, (order) => {
        const walk = walkIn(
          new LedgerWalk(planBlueprint(SHAPES.settledChain), takes({ a: ['b', 'c', 'x'] }, 'c')),
          order,
        );
        expect(walk.executed.at(-1)).toBe('e@1');
        expect(walk.executed).toContain('d@1');
      }),
    );
  });

  it('waits for the fallback of a failed predecessor', () => {
    const plan = settled('a>b a>c b>d c>d f', { b: { config: { fallback: 'f' } } });
    const walk = new LedgerWalk(plan, (turn, p) =>
      turn.node === 'b' ? { status: 'failed', rescuer: 'f' } : takeAll(turn, p),
    );
    walk.step('a');
    walk.step('c');
    expect(walk.step('b')).toEqual(['f@1']);
    expect(walk.step('f')).toEqual(['d@1']);
  });

  it('gathers what the dynamic nodes that did not fail have made', () => {
    const plan = planBlueprint(SHAPES.settledBatch);
    fc.assert(
      fc.property(anyOrder, (order) => {
        const decide: Decide = (turn, p) =>
          turn.node === 's'
            ? { taken: ['g'], dynamicNodes: dynamicNodes(turn, 3), gather: 'g' }
            : turn.node === 's:1:1'
              ? { status: 'failed' }
              : takeAll(turn, p);
        const walk = walkIn(new LedgerWalk(plan, decide), order);
        expect(walk.executed.slice(-2)).toEqual(['g@1', 'd@1']);
      }),
    );
  });
});

describe('rescue', () => {
  const fails =
    (...nodes: string[]): Decide =>
    (turn, plan) => {
      const fallback = plan.nodes.get(turn.node)?.fallback;
      if (!nodes.includes(turn.node)) return takeAll(turn, plan);
      return { status: 'failed', ...(fallback === undefined ? {} : { rescuer: fallback }) };
    };

  it('at a join makes it wait for the fallback', () => {
    fc.assert(
      fc.property(anyOrder, (order) => {
        const walk = walkIn(new LedgerWalk(planBlueprint(SHAPES.fallback), fails('b')), order);
        expect(walk.executed.at(-1)).toBe('d@1');
        expect([...walk.executed].sort()).toEqual(['a@1', 'b@1', 'c@1', 'd@1', 'f@1']);
        expect(walk.state.counts()).toMatchObject({ open: 0, failed: false, rescued: true });
      }),
    );
  });

  it('by a fallback that is wired to the join as well does not block it, whether it runs or not', () => {
    const plan = planBlueprint(SHAPES.wired);
    expect(new LedgerWalk(plan).finish().executed).toEqual(['a@1', 'b@1', 'd@1', 'e@1']);
    expect(new LedgerWalk(plan, fails('b')).finish().executed).toEqual(['a@1', 'b@1', 'f@1', 'd@1', 'e@1']);
  });

  it('by one fallback for two nodes runs it once, and the join waits for both', () => {
    fc.assert(
      fc.property(fc.subarray(['b', 'c']), anyOrder, (failing, order) => {
        const walk = walkIn(new LedgerWalk(planBlueprint(SHAPES.shared), fails(...failing)), order);
        expect(walk.executed.filter((turn) => turn === 'f@1')).toHaveLength(failing.length > 0 ? 1 : 0);
        expect(walk.executed.slice(-2)).toEqual(['d@1', 'e@1']);
      }),
    );
  });

  it('by a fallback that is an any join runs it for each failure', () => {
    const [fallback, joinStrategy] = ['f', 'any'] as const;
    const shape = blueprint('each', 'a>b a>c b>d c>e f', {
      b: { config: { fallback } },
      c: { config: { fallback } },
      f: { config: { joinStrategy } },
    });
    fc.assert(
      fc.property(anyOrder, (order) => {
        const walk = walkIn(new LedgerWalk(planBlueprint(shape), fails('b', 'c')), order);
        const executed = new Set(walk.executed);
        expect([...executed].filter((turn) => turn.startsWith('f@')).sort()).toEqual(['f@b', 'f@c']);
        expect([...executed]).toEqual(expect.arrayContaining(['d@1', 'e@1']));
      }),
    );
  });

  it('at an any join counts in the round in which that failed', () => {
    const shape = blueprint('anyFails', 'a>b a>d b>d:x f', { b: { config: { fallback: 'f', joinStrategy: 'any' } } });
    fc.assert(
      fc.property(anyOrder, (order) => {
        // the fallback takes no edge, and that of a came too early
        const decide: Decide = (turn, plan) => (turn.node === 'f' ? { taken: [] } : fails('b')(turn, plan));
        expect(walkIn(new LedgerWalk(planBlueprint(shape), decide), order).executed).not.toContain('d@1');
      }),
    );
  });

  it('by a fallback that has run before does not go on, unless the failure came in an earlier round', () => {
    const early = blueprint('early', 's>f s>a a>b b>x x>z', { x: { config: { fallback: 'f' } } });
    const late = blueprint('late', 's>x s>a a>b b>f x>z', { x: { config: { fallback: 'f' } } });
    fc.assert(
      fc.property(anyOrder, (order) => {
        const executed = (shape: typeof early) =>
          walkIn(new LedgerWalk(planBlueprint(shape), fails('x')), order).executed;
        expect(executed(early)).not.toContain('z@1');
        expect(executed(late)).toContain('z@1');
      }),
    );
  });

  it('by the fallback of a fallback completes the first node', () => {
    const bp = blueprint('chain', 'a>b b>d a>c c>d f g', {
      b: { config: { fallback: 'f' } },
      f: { config: { fallback: 'g' } },
    });
    const walk = new LedgerWalk(planBlueprint(bp), fails('b', 'f')).finish();
    expect(walk.executed.slice(-1)).toEqual(['d@1']);
    expect(walk.executed).toEqual(expect.arrayContaining(['f@1', 'g@1']));
  });

  it('that fails completes the first node with nothing, so that a join after it can go on by its other edges', () => {
    const walk = new LedgerWalk(planBlueprint(SHAPES.fallback), fails('b', 'f')).finish();
    expect(walk.executed.slice(-2)).toEqual(['f@1', 'd@1']);
    expect(walk.state.counts()).toMatchObject({ open: 0, failed: true, rescued: true });
  });

  it('in a loop runs in every pass', () => {
    const walk = new LedgerWalk(planBlueprint(SHAPES.rescueInLoop), passes(3, fails('x'))).finish();
    expect(walk.executed.filter((turn) => turn.startsWith('f@'))).toEqual(['f@1', 'f@2', 'f@3']);
    expect(walk.executed.at(-1)).toBe('end@1');
  });
});

it('settling costs a number of field accesses that does not grow with the run', () => {
  let accesses = 0;
  class CountingMap extends Map<string, string> {
    override get(key: string): string | undefined {
      accesses++;
      return super.get(key);
    }
    override set(key: string, value: string): this {
      accesses++;
      return super.set(key, value);
    }
    override keys(): MapIterator<string> {
      throw new Error('Settling must not list the fields.');
    }
  }
  const walk = new LedgerWalk(planBlueprint(SHAPES.loop), passes(1e9), 1e9, new LedgerState(new CountingMap()));
  walk.step('start');
  const costOfPass = (pass: number) => {
    accesses = 0;
    for (const id of ['l', 'x', 'y', 'z', 'w']) walk.step(id, String(pass));
    return accesses;
  };
  const second = [1, 2].map(costOfPass)[1];
  for (let pass = 3; pass < 300; pass++) costOfPass(pass);
  expect(costOfPass(300)).toBe(second);
});
