import { describe, expect, it } from '@jest/globals';
import { planBlueprint } from '../../../src/core/plan.js';
import { starvedJoins } from '../../../src/core/starved-joins.js';
import { blueprint, SHAPES, type NodeSpec } from '../../support/blueprints.js';

const starved = (text: string, specs: Record<string, NodeSpec> = {}) =>
  starvedJoins(planBlueprint(blueprint('b', text, specs)));
const any: NodeSpec = { config: { joinStrategy: 'any' } };

describe('a join of all is starved', () => {
  it.each([
    ['by branches of a choice', 'a>b:yes a>c:no b>d c>d', ['d']],
    ['by a condition', 'a>b?result a>c b>d c>d', ['d']],
    ['by a choice far above it', 'a>b:yes a>c:no b>x x>y y>d c>d', ['d']],
    ['by the edge beside an action', 'a>b:yes a>c b>d c>d', ['d']],
    ['by a branch that is skipped', 'a>b?result a>d b>d', ['d']],
    ['and so is the one after it', 'a>b:yes a>c:no b>d c>d d>f a>e e>f', ['d', 'f']],
  ])('%s', (_, text, joins) => {
    expect(starved(text)).toEqual(joins);
  });
});

describe('a join of all is not starved', () => {
  it.each([
    ['by branches without a choice', 'a>b a>c b>d c>d'],
    ['by branches of one choice', 'a>x:yes a>y:no x>b x>c b>d c>d'],
    ['by an edge that is not taken, if its source runs', 'a>b a>c b>d?result c>d'],
  ])('%s', (_, text) => {
    expect(starved(text)).toEqual([]);
  });

  it('behind an any join of both branches', () => {
    expect(starved('s>a s>e a>b:yes a>c:no b>m c>m m>d e>d', { m: any })).toEqual([]);
  });

  it('by a loop, or by a fallback that is wired to it', () => {
    for (const shape of [SHAPES.loop, SHAPES.nested, SHAPES.wired, SHAPES.fallback, SHAPES.batch, SHAPES.cycle])
      expect(starvedJoins(planBlueprint(shape))).toEqual([]);
  });

  it('if it has another strategy', () => {
    expect(starvedJoins(planBlueprint(SHAPES.settled))).toEqual([]);
    expect(starved('a>b:yes a>c:no b>d c>d', { d: any })).toEqual([]);
  });
});
