import type { Difference, Outcome } from '../conformance/corpus.js';
import { Answers, type Tools } from './comparison.js';
import { runOnFleet } from './fleet.js';
import type { FuzzCase } from './fuzz-case.js';
import { drawing, minimise } from './minimise.js';

export type Verdict =
  /** `depends`: flowcraft itself has several answers, and ours is one of them. */
  | { readonly kind: 'same' | 'depends' | 'too long' }
  | { readonly kind: 'mismatch'; readonly wrong: readonly Difference[] };

/** Times to ask flowcraft for another answer: first, and again while ours is none of those that it gave. */
const ROUNDS = [2, 6, 24, 100, 300];

export async function loadTools(): Promise<Tools> {
  const tools = {};
  for (const file of ['compare', 'nodes'])
    Object.assign(
      tools,
      (await import(new URL(`../conformance/corpus/lib/${file}.mjs`, import.meta.url).href)) as object,
    );
  return tools as Tools;
}

export type Engine = (kase: FuzzCase, seed: number) => Promise<Outcome>;

/** Holds one run on the engine against what flowcraft's own runtime makes of the same workflow. */
export async function compare(tools: Tools, kase: FuzzCase, engine: Engine = runOnFleet): Promise<Verdict> {
  const answers = new Answers(tools, kase);
  if (!(await answers.begin())) return { kind: 'too long' };
  let outcome: Outcome;
  try {
    outcome = await engine(kase, kase.seed);
  } catch (error) {
    return { kind: 'mismatch', wrong: [{ path: 'run', expected: 'an end', actual: (error as Error).message }] };
  }
  let asked = 1;
  for (const times of ROUNDS) {
    await answers.more(asked, times);
    asked += times;
    if (answers.wrongIn(outcome).length === 0) return { kind: answers.agree ? 'same' : 'depends' };
  }
  return { kind: 'mismatch', wrong: answers.wrongIn(outcome) };
}

/**
 * @throws Error if the engine gives what flowcraft does not, with the seed, the smallest workflow that still shows it, and
 * what is different
 */
export async function assertSame(tools: Tools, kase: FuzzCase, engine?: Engine): Promise<Verdict['kind']> {
  const verdict = await compare(tools, kase, engine);
  if (verdict.kind !== 'mismatch') return verdict.kind;
  let { wrong } = verdict;
  const smallest = await minimise(kase, async (smaller) => {
    const again = await compare(tools, smaller, engine).catch(() => ({ kind: 'too long' }) as const);
    if (again.kind === 'mismatch') ({ wrong } = again);
    return again.kind === 'mismatch';
  });
  const lines = wrong.slice(0, 8).map((w) => `${w.path}: flowcraft has ${w.expected}, the engine ${w.actual}`);
  throw new Error(`Seed ${kase.seed} ends otherwise than in flowcraft:\n${[drawing(smallest), ...lines].join('\n')}`);
}
