import type { Case, Corpus, Difference, Observation, Outcome } from './corpus.js';

/**
 * What is wrong with an outcome, given what flowcraft's in-process runtime did. Where flowcraft has an outright fault,
 * its documented intent counts; where its own answer depends on its rounds or on the order in which nodes end, that
 * part does not count.
 */
export function wrongWith(
  corpus: Corpus,
  kase: Case,
  seen: Pick<Observation, 'outcome'> & Partial<Observation>,
  outcome: Outcome,
): Difference[] {
  const actual = corpus.normalizeResult(kase, outcome);
  const { kind, intended } = kase.ambiguous ?? {};
  const asOracle = corpus.differences(seen.outcome, actual, kase, seen.varies);
  if (kind === undefined) {
    const barrier = new Set(seen.barrier ?? []);
    return asOracle.filter(({ path }) => !barrier.has(path));
  }
  if (asOracle.length === 0 && kind !== 'bug') return [];
  return intended ? corpus.satisfies(intended, actual) : [];
}
