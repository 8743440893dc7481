import type { NodeRegistry } from 'flowcraft';
import type { TurnInfo } from '../../src/engine/node-execution.js';
import type { Code } from './versions.js';

/** One execution of a node's code. What it makes carries its mark, so that two executions of a turn can be told apart. */
export interface Execution {
  readonly mark: string;
  readonly turn: TurnInfo | undefined;
  /** Marks of the executions whose results it has read. */
  readonly reads: Set<string>;
}

/** Where nodes are executed: gives marks, and lets time pass. */
export interface Lab {
  begin(turn: TurnInfo | undefined): Execution;
  work(): Promise<void>;
}

/** In-process, for the oracle: one mark for all, and no time passes. */
export const ORACLE_LAB: Lab = {
  begin: (turn) => ({ mark: 'm', turn, reads: new Set() }),
  work: async () => {},
};

interface Call {
  readonly input?: unknown;
  readonly params: Readonly<Record<string, unknown>>;
  readonly context: { get(key: string): Promise<unknown>; set(key: string, value: unknown): Promise<void> };
  readonly dependencies: Readonly<Record<string, unknown>>;
}

/** Node functions without a memory: what they make depends on what they read, apart from the mark. */
export function registryOf(lab: Lab, code: Code = 'next'): NodeRegistry {
  const begin = async ({ input, dependencies }: Call) => {
    const execution = lab.begin(dependencies['turn'] as TurnInfo | undefined);
    for (const mark of marksIn(input)) execution.reads.add(mark);
    await lab.work();
    return execution;
  };
  const marked = ({ mark }: Execution, v: unknown) => ({ v, mark });
  /** The output depends on the input. */
  const step = async (call: Call) => {
    const execution = await begin(call);
    return { output: marked(execution, digest([call.params['name'], withoutMarks(call.input)])) };
  };
  const nodes = {
    step,
    ...(code === 'next' ? { step_2: step } : {}),
    /** The output does not depend on the input: for nodes that run once for each arrival. */
    constant: async (call: Call) => ({ output: marked(await begin(call), call.params['name']) }),
    /** The output has a property for each condition: `{ yes: true, no: false }`. */
    flags: async (call: Call) => ({ output: { ...marked(await begin(call), 'flags'), yes: true, no: false } }),
    choose: async (call: Call) => ({ output: marked(await begin(call), 'chosen'), action: call.params['action'] }),
    list: async (call: Call) => {
      const execution = await begin(call);
      return { output: [1, 2, 3].map((v) => marked(execution, v)) };
    },
    fail: async (call: Call) => {
      const execution = await begin(call);
      await call.context.set(`left by ${String(call.params['name'])}`, marked(execution, 'left'));
      throw new Error(`failed on purpose <${execution.mark}>`);
    },
    /** Adds one to a key of the context, and says in another whether there is more to do. */
    count: async (call: Call) => {
      const { key = 'n', limit = 0, again = '' } = call.params as { key?: string; limit?: number; again?: string };
      const execution = lab.begin(call.dependencies['turn'] as TurnInfo | undefined);
      const before = await call.context.get(key);
      for (const mark of marksIn([call.input, before])) execution.reads.add(mark);
      await lab.work();
      const n = ((before as { v?: number } | undefined)?.v ?? 0) + 1;
      await call.context.set(key, marked(execution, n));
      if (again !== '') await call.context.set(again, n % limit !== 0);
      return { output: marked(execution, n), ...(again === '' ? {} : { action: n % limit === 0 ? 'done' : 'again' }) };
    },
    /** What the oracle has in place of a sleep. */
    pass: async (call: Call) => ({ output: call.input }),
    /** What the oracle has in place of a wait: the answer. */
    answer: async (call: Call) => ({ output: call.params['output'], action: call.params['action'] }),
  };
  return nodes as unknown as NodeRegistry;
}

/** All marks within a value. */
export function marksIn(value: unknown, found: Set<string> = new Set()): Set<string> {
  if (value === null || typeof value !== 'object') return found;
  const { mark } = value as { mark?: unknown };
  if (typeof mark === 'string') found.add(mark);
  for (const inner of Object.values(value)) marksIn(inner, found);
  return found;
}

export function withoutMarks(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutMarks);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).filter(([key]) => key !== 'mark');
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutMarks(inner)]));
}

function digest(value: unknown): string {
  let hash = 0x811c9dc5;
  const text = JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash.toString(36);
}
