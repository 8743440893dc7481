import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeContext, NodeFunction, NodeRegistry } from 'flowcraft';
import type { TurnInfo } from '../../src/engine/node-execution.js';
import { hash } from './random.js';

/** What nodes do to the world outside: the oracle's do nothing and take no time. */
export interface Surroundings {
  /** A node's code began: `nonce` names this execution, `seen` those whose outputs it got. */
  started(turn: Turn, nonce: string, seen: readonly string[]): void;
  finished(turn: Turn, nonce: string): void;
  nonce(): string;
  /** In [0, 1). */
  random(): number;
  /** Where `failsOnce` remembers; absent: it does not fail. */
  readonly directory?: string;
  readonly isHasty?: boolean;
  /** No node of type `work` or `add` takes longer than others. */
  readonly isSteady?: boolean;
}

export const BLOCK_MS = 5000;

export type Turn = Pick<TurnInfo, 'runId' | 'nodeId' | 'turn' | 'idempotencyKey' | 'claim'>;
type Context = NodeContext<Record<string, unknown>>;

/** JSON with sorted keys, without what differs between two executions. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((v) => canonical(v)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([key, v]) => key !== 'x' && v !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, v]) => `${JSON.stringify(key)}:${canonical(v)}`).join(',')}}`;
}

/** The executions whose outputs are in a value. */
export function noncesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = 'x' in value && typeof value.x === 'string' ? [value.x] : [];
  return [...own, ...Object.values(value).flatMap((v) => noncesIn(v))];
}

/** Node types whose outputs `{ v, x }` follow from their inputs but for `x`, which names the execution. */
export function registryOf(around: Surroundings): NodeRegistry {
  const attempts = new Map<string, number>();
  const rest = async (low: number, high: number, signal?: AbortSignal) => {
    if (!around.isHasty)
      await sleep(low + around.random() * (high - low), undefined, { ...(signal ? { signal } : {}) });
  };
  const node =
    (act: (context: Context, v: number, x: string, turn: Turn) => Promise<{ action?: string } | void>): NodeFunction =>
    async (given) => {
      const context = given as unknown as Context;
      const turn = turnOf(context);
      const x = around.nonce();
      const total = await context.context.get('total');
      around.started(turn, x, [...noncesIn(context.input), ...noncesIn(isAdding(context) ? total : undefined)]);
      const name = String(context.params?.['node'] ?? 'unit');
      const v = hash(`${name}|${canonical(context.input)}|${canonical(await context.context.get('number'))}`) % 1000;
      const more = await act(context, v, x, turn);
      around.finished(turn, x);
      return { output: { v, x }, ...(more ?? {}) };
    };
  const add = async ({ context }: Context, by: number, x: string) => {
    const total = (await context.get('total')) as { v: number } | undefined;
    const sum = (total?.v ?? 0) + by;
    await context.set('total', { v: sum, x });
    return sum;
  };
  const usual = (signal?: AbortSignal) =>
    around.random() < 0.03 && !around.isSteady ? rest(500, 4000, signal) : rest(5, 150, signal);
  return {
    work: node(async ({ signal }) => usual(signal)),
    unit: node(async ({ signal }) => usual(signal)),
    add: node(async (context, v, x) => {
      await usual();
      await add(context, v, x);
    }),
    parity: node(async (_context, v) => ({ action: v % 2 === 0 ? 'even' : 'odd' })),
    begin: node(async ({ context }) => {
      await context.set('more', true);
    }),
    pass: node(async (context, _v, x) => {
      await usual();
      const sum = await add(context, 1, x);
      await context.context.set('more', sum < 3);
    }),
    flaky: node(async (_context, _v, _x, turn) => {
      const attempt = (attempts.get(turn.idempotencyKey) ?? 0) + 1;
      attempts.set(turn.idempotencyKey, attempt);
      if (attempt % 2 === 1) throw new Error('deliberate, every other time');
    }),
    broken: node(async () => {
      throw new Error('deliberate, always');
    }),
    failsOnce: node(async (_context, _v, _x, { runId }) => {
      if (around.directory === undefined) return;
      const [root = runId] = runId.split('.');
      const file = path.join(around.directory, `failed-${root}`);
      if (existsSync(file)) return;
      writeFileSync(file, '');
      throw new Error('deliberate, the first time');
    }),
    blocks: node(async () => {
      // as a computation does, and a long garbage collection
      for (const end = Date.now() + BLOCK_MS; Date.now() < end;);
    }),
    slow: node(async ({ signal }) => rest(500, 3000, signal)),
    long: node(async ({ signal }) => rest(8000, 20_000, signal)),
  };
}

function isAdding({ params }: Context): boolean {
  return /^(c\d|b|g|body|w)$/.test(String(params?.['node'] ?? ''));
}

/** In-process there is none. */
function turnOf(context: Context): Turn {
  const none = { runId: '', nodeId: String(context.params?.['node'] ?? ''), turn: '', idempotencyKey: '', claim: 1 };
  return (context.dependencies['turn'] as Turn | undefined) ?? none;
}
