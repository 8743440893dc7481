import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadCorpus, type Case } from './corpus.js';
import { openFlow, type Flow } from './flow.js';
import { wrongWith } from './verdict.js';

const corpus = await loadCorpus();
const cases = await corpus.loadCases('open');
/** flowcraft's own answer to these depends on its rounds, or on the order in which nodes end; asked a few times it may hide that. */
const SENSITIVE = new Set(corpus.sensitive);
const FUZZ_SEEDS = Array.from({ length: 120 }, (_, i) => i + 1).filter((seed) => !SENSITIVE.has(seed));

describe('the corpus on the embedded drivers', () => {
  const flows = new Map<string, Flow>();
  const profileOf = (kase: Case) => kase.profile ?? 'unsafe';

  beforeAll(async () => {
    for (const profile of new Set(cases.map(profileOf)))
      flows.set(profile, await openFlow(corpus, cases, profile, { embedded: true }));
  });
  afterAll(async () => {
    for (const flow of flows.values()) await flow.close();
  });

  it.each(cases.map((kase) => [kase.name, kase] as const))('%s ends as in flowcraft', async (name, kase) => {
    const outcome = await flows.get(profileOf(kase))?.run(kase, `${name}-1`);
    const expected = corpus.expected.cases[name];
    if (!outcome || !expected) throw new Error(`The corpus does not know ${name}.`);
    expect(wrongWith(corpus, kase, expected, outcome)).toEqual([]);
  });
});

describe('random workflows on the embedded drivers', () => {
  const random = FUZZ_SEEDS.map((seed) => corpus.randomCase(seed));
  let flow: Flow;

  beforeAll(async () => {
    flow = await openFlow(corpus, random, 'unsafe', { embedded: true });
  });
  afterAll(() => flow.close());

  it.each(random.map((kase) => [kase.name, kase] as const))('%s ends as in flowcraft', async (name, kase) => {
    const seen = await corpus.observe(kase, { shakes: 2, eager: 1 });
    expect(corpus.sensitivity(seen)).toBe('plain');
    expect(wrongWith(corpus, kase, seen, await flow.run(kase, name))).toEqual([]);
  });
});
