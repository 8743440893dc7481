import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Tools } from './comparison.js';
import { assertSame, loadTools, type Verdict } from './differential.js';
import { fuzzCase } from './fuzz-case.js';

const AT_A_TIME = 100;
/** `FLOW_FUZZ_SEEDS=5001-9000` looks at others. */
const DEFAULT_SEEDS = '1-2400';

/** Holds the engine against flowcraft's runtime for the odd (1) or the even (0) seeds. */
export function searchMismatches(parity: 0 | 1): void {
  const [from = 1, to = from] = (process.env['FLOW_FUZZ_SEEDS'] ?? DEFAULT_SEEDS).split('-').map(Number);
  const seeds = Array.from({ length: to - from + 1 }, (_, i) => from + i).filter((seed) => seed % 2 === parity);
  const counts = new Map<Verdict['kind'], number>();
  const { error } = console;
  let tools: Tools;

  beforeAll(async () => {
    tools = await loadTools();
    console.error = () => undefined; // flowcraft's evaluator says which conditions it can't evaluate
  });
  afterAll(() => {
    console.error = error;
  });

  for (let at = 0; at < seeds.length; at += AT_A_TIME) {
    const some = seeds.slice(at, at + AT_A_TIME);
    it(`seeds ${some[0]} to ${some.at(-1)}`, async () => {
      for (const seed of some) {
        const kind = await assertSame(tools, fuzzCase(seed));
        counts.set(kind, (counts.get(kind) ?? 0) + 1);
      }
    }, 120_000);
  }

  it('most of them have one answer in-process, and few are too long to be compared', () => {
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    expect(counts.get('same') ?? 0).toBeGreaterThan(total / 2);
    expect(counts.get('too long') ?? 0).toBeLessThanOrEqual(Math.ceil(total / 50));
  });
}
