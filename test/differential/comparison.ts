import type { Difference, Outcome } from '../conformance/corpus.js';
import type { FuzzCase } from './fuzz-case.js';
import { askFlowcraft, type Asking } from './in-process.js';

/** Of the corpus: plain JavaScript, imported when the tests begin. */
export interface Tools {
  normalizeResult(kase: FuzzCase, outcome: Outcome): Outcome;
  flatten(outcome: Outcome, kase: FuzzCase): Map<string, string>;
  canon(value: unknown): string;
}

/** More turns than this tell nothing that fewer would not. */
const MOST_TURNS = 400;
/** What has so many answers in-process may have any; a value may be any as soon as it has two. */
const MANY = 3;

/** All answers that flowcraft gives to a case: by path, every value that any of them has there. */
export class Answers {
  private readonly values = new Map<string, Set<string>>();
  private asked = 0;
  /** Values that were written as a node's input: which of them is left in the end depends on who came last. */
  private readonly inputs = new Map<string, Set<string>>();

  constructor(
    private readonly tools: Tools,
    private readonly kase: FuzzCase,
  ) {}

  /** False: the case runs for too long to be compared. */
  async begin(): Promise<boolean> {
    const outcome = await this.ask({ seed: 0 });
    const turns = Object.values(outcome.executed ?? {}).reduce((sum, times) => sum + times, 0);
    return turns <= MOST_TURNS;
  }

  /** Asks again, with nodes that take other times. */
  async more(from: number, count: number): Promise<void> {
    for (let seed = from; seed < from + count; seed++) {
      await this.inRounds(seed);
      await this.ask({ seed: seed + 1_000_000, uneven: seed % 3 !== 0, onArrival: true });
    }
  }

  /** Asks again as flowcraft is, which processes no result before all of its round are there. */
  async inRounds(seed: number): Promise<void> {
    await this.ask({ seed, uneven: seed % 3 !== 0, ...(seed % 5 === 0 ? { concurrency: 1 } : { concurrency: 64 }) });
  }

  /** Where none of flowcraft's answers has what this outcome has. */
  wrongIn(outcome: Outcome): Difference[] {
    const { tools, kase } = this;
    const ours = tools.flatten(tools.normalizeResult(kase, outcome), kase);
    const wrong: Difference[] = [];
    for (const path of new Set([...this.values.keys(), ...ours.keys()])) {
      const actual = ours.get(path) ?? 'undefined';
      const known = this.values.get(path) ?? new Set(['undefined']);
      if (actual === 'null' && this.isLate(path)) continue;
      if (known.has(actual) || this.inputs.get(path)?.has(actual)) continue;
      if (known.size >= (path.startsWith('context.') ? 2 : MANY) || (this.inputs.get(path)?.size ?? 0) >= MANY)
        continue;
      wrong.push({ path, expected: [...known].join(' or '), actual });
    }
    return wrong;
  }

  /** Whether all answers were the same, but for inputs left behind. */
  get agree(): boolean {
    return [...this.values].every(([path, known]) => known.size === 1 || path.startsWith('context._inputs.'));
  }

  /** In-process, the null of a node that was rescued is not waited for: in the last round the end of the run may miss it. */
  private isLate(path: string): boolean {
    const [, id = ''] = /^context\.(.*)$/.exec(path) ?? [];
    return this.values.get(`context._outputs.${id}`)?.has('null') ?? false;
  }

  private async ask(asking: Asking): Promise<Outcome> {
    const { tools, kase } = this;
    const { outcome, inputs } = await askFlowcraft(kase, asking);
    const flat = tools.flatten(tools.normalizeResult(kase, outcome), kase);
    for (const path of new Set([...this.values.keys(), ...flat.keys()])) {
      const known = this.values.get(path) ?? new Set(this.asked === 0 ? [] : ['undefined']);
      this.values.set(path, known.add(flat.get(path) ?? 'undefined'));
    }
    for (const [key, written] of inputs) {
      const path = `context.${key}`;
      const known = this.inputs.get(path) ?? new Set();
      for (const value of written) known.add(tools.canon(value));
      this.inputs.set(path, known);
    }
    this.asked++;
    return outcome;
  }
}
