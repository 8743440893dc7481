import fc from 'fast-check';
import { isTextDeeperThan, isValueDeeperThan } from '../../../src/core/depth.js';

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

describe('the depth', () => {
  it('of a value and of its JSON is the same', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(8), (value, levels) => {
        const deeper = depthOf(value) > levels;
        expect(isTextDeeperThan(JSON.stringify(value), levels)).toBe(deeper);
        expect(isValueDeeperThan(value, levels)).toBe(deeper);
      }),
    );
  });

  it('does not count brackets in texts', () => {
    expect(isTextDeeperThan(JSON.stringify({ a: '[[[["\\[[[[', 'b[[[': 1 }), 1)).toBe(false);
  });

  it('of hundreds of thousands of levels is found without any stack', () => {
    let value: unknown = 1;
    for (let i = 0; i < 300_000; i++) value = [value];
    expect(isValueDeeperThan(value, 200_000)).toBe(true);
    expect(isTextDeeperThan('['.repeat(300_000) + ']'.repeat(300_000), 200_000)).toBe(true);
  });

  it('of a value that holds itself is no depth', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = [circle];
    expect(isValueDeeperThan(circle, 3)).toBe(false);
  });
});
