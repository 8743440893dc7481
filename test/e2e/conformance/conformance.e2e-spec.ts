import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadCorpus, type Case } from '../../conformance/corpus.js';
import { openFlow, type Flow } from '../../conformance/flow.js';
import { wrongWith } from '../../conformance/verdict.js';
import { openServers, type Servers } from '../../support/servers.js';

const corpus = await loadCorpus();
const cases = await corpus.loadCases('open');
const sensitive = new Set(corpus.sensitive);
const random = Array.from({ length: 40 }, (_, i) => i + 1)
  .filter((seed) => !sensitive.has(seed))
  .map((seed) => corpus.randomCase(seed));
const WORKERS = 2;

describe('on real servers, with two workers', () => {
  const servers = new Map<string, Servers>();
  const flows = new Map<string, Flow>();
  const profileOf = (kase: Case) => kase.profile ?? 'unsafe';

  beforeAll(async () => {
    const all = [...cases, ...random];
    for (const profile of new Set(all.map(profileOf))) {
      const own = openServers(`conformance_${profile.replaceAll('-', '_')}`);
      servers.set(profile, own);
      flows.set(profile, await openFlow(corpus, all, profile, own.options, WORKERS));
    }
  }, 120_000);
  afterAll(async () => {
    for (const flow of flows.values()) await flow.close();
    for (const own of servers.values()) await own.remove();
  }, 60_000);

  it.each(cases.map((kase) => [kase.name, kase] as const))(
    '%s ends as in flowcraft',
    async (name, kase) => {
      const outcome = await flows.get(profileOf(kase))?.run(kase, `${name}-1`);
      const expected = corpus.expected.cases[name];
      if (!outcome || !expected) throw new Error(`The corpus does not know ${name}.`);
      expect(wrongWith(corpus, kase, expected, outcome)).toEqual([]);
    },
    60_000,
  );

  it.each(random.map((kase) => [kase.name, kase] as const))(
    '%s ends as in flowcraft',
    async (name, kase) => {
      const seen = await corpus.observe(kase, { shakes: 2, eager: 1 });
      expect(wrongWith(corpus, kase, seen, (await flows.get('unsafe')?.run(kase, name)) ?? missing())).toEqual([]);
    },
    60_000,
  );
});

function missing(): never {
  throw new Error('There is no application for the default profile.');
}
