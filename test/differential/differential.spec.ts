import { describe, expect, it } from '@jest/globals';
import { assertSame, compare, loadTools } from './differential.js';
import { runOnFleet } from './fleet.js';
import { fuzzCase, type FuzzCase } from './fuzz-case.js';

const tools = await loadTools();

/** An engine that loses what a node of this type did. */
const forgetting = (uses: string) => async (kase: FuzzCase, seed: number) => {
  const outcome = await runOnFleet(kase, seed);
  for (const { id } of kase.blueprints['main']?.nodes.filter((n) => n.uses === uses) ?? [])
    if (outcome.context) delete outcome.context[id];
  return outcome;
};

describe('the search for mismatches', () => {
  it('makes the same workflow of the same seed, on the engine with the same end', async () => {
    for (const seed of [7, 8, 99, 100]) {
      expect(fuzzCase(seed)).toEqual(fuzzCase(seed));
      expect(await runOnFleet(fuzzCase(seed), seed)).toEqual(await runOnFleet(fuzzCase(seed), seed));
    }
  });

  it('finds a fault, and says it with the seed and the smallest workflow that shows it', async () => {
    // begins with one and has more nodes than that
    const seed = [1, 3, 5, 7, 9, 11, 13, 15].find((s) => fuzzCase(s).blueprints['main']?.nodes[0]?.uses === 'mix');
    const found = assertSame(tools, fuzzCase(seed ?? 0), forgetting('mix'));
    const { message } = await found.then(
      () => new Error('nothing found'),
      (error: Error) => error,
    );
    expect(message).toContain(`Seed ${seed} ends otherwise`);
    const nodes = message.split('\n').filter((line) => line.startsWith('  '));
    expect(nodes).toHaveLength(1);
    expect(nodes[0]).toMatch(/n\d+ mix/);
  });

  it('takes an end that never comes as a fault', async () => {
    const never = () => Promise.reject(new Error('stuck'));
    expect(await compare(tools, fuzzCase(2), never)).toMatchObject({ kind: 'mismatch', wrong: [{ actual: 'stuck' }] });
  });
});
