import { Recent } from '../../../src/engine/recent.js';

describe('what was noted lately', () => {
  it('is known by name, the last of each', () => {
    const recent = new Recent<number>(10);
    recent.note('a', 1);
    recent.note('a', 2);
    expect(recent.get('a')).toBe(2);
    expect(recent.get('b')).toBeUndefined();
  });

  it('is forgotten when many others were noted since, and not before', () => {
    const recent = new Recent<number>(10);
    for (let i = 0; i < 1000; i++) recent.note(`n${i}`, i);
    const known = Array.from({ length: 1000 }, (_, i) => `n${i}`).filter((name) => recent.get(name) !== undefined);
    expect(known.slice(-5)).toEqual(['n995', 'n996', 'n997', 'n998', 'n999']);
    expect(known.length).toBeLessThanOrEqual(10);
  });
});
