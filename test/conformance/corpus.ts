import { readFileSync } from 'node:fs';
import type { NodeRegistry, RuntimeOptions, WorkflowBlueprint } from 'flowcraft';

/** The corpus is plain JavaScript, so that it also runs outside of this project; these are its types. */
export interface Step {
  readonly run?: true;
  readonly cancel?: { readonly before?: true; readonly on?: string; readonly node?: string };
  readonly resume?: { readonly nodeId: string; readonly output?: unknown; readonly action?: string };
  readonly wake?: { readonly nodeId: string };
}

export interface Case {
  readonly name: string;
  readonly blueprints: Readonly<Record<string, WorkflowBlueprint>>;
  readonly registry: NodeRegistry;
  readonly profile?: string;
  readonly options?: { readonly strict?: boolean };
  readonly initialContext?: Record<string, unknown>;
  readonly steps: readonly Step[];
  readonly ambiguous?: { readonly kind: string; readonly intended?: object };
}

export interface Outcome {
  status: string;
  statuses?: string[];
  context: Record<string, unknown> | null;
  executed?: Record<string, number>;
  error: null | { thrown: string } | { errors: { nodeId: string; message: string; cause?: string }[] };
}

export interface Difference {
  readonly path: string;
  readonly expected: string;
  readonly actual: string;
}

interface Recorded {
  readonly cases: Record<string, { outcome: Outcome; varies?: Record<string, string[]>; barrier?: string[] }>;
}

export interface Observation {
  readonly outcome: Outcome;
  readonly varies: Record<string, string[]>;
  readonly barrier: string[];
}

export interface Corpus {
  loadCases(set: string): Promise<Case[]>;
  serving(
    cases: readonly Case[],
    profile: string,
  ): {
    options: RuntimeOptions & { container?: true };
    registry: NodeRegistry;
    blueprints: Record<string, WorkflowBlueprint>;
  };
  normalizeResult(kase: Case, outcome: Outcome): Outcome;
  differences(expected: Outcome, actual: Outcome, kase: Case, varies?: Record<string, string[]>): Difference[];
  satisfies(partial: object, actual: Outcome): Difference[];
  randomCase(seed: number): Case;
  observe(kase: Case, how?: { shakes?: number; eager?: number }): Promise<Observation>;
  sensitivity(seen: Observation): 'plain' | 'order' | 'barrier';
  expected: Recorded;
  /** Seeds of random cases whose outcome depends on timing in-process. */
  sensitive: readonly number[];
}

/** One module after the other: jest's loader cannot link several at once. */
export async function loadCorpus(): Promise<Corpus> {
  const fuzz = JSON.parse(readFileSync(new URL('./corpus/cases/open/fuzz.json', import.meta.url), 'utf8')) as {
    barrier: number[];
    order: number[];
  };
  const corpus: Partial<Corpus> = {
    sensitive: [...fuzz.barrier, ...fuzz.order],
    expected: JSON.parse(readFileSync(new URL('./corpus/expected.json', import.meta.url), 'utf8')) as Recorded,
  };
  for (const file of ['lib/load.mjs', 'lib/compare.mjs', 'lib/observe.mjs', 'random.mjs']) {
    Object.assign(corpus, (await import(new URL(`./corpus/${file}`, import.meta.url).href)) as object);
  }
  return corpus as Corpus;
}
