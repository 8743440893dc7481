import { BaseNode, FlowcraftError, type NodeContext, type NodeFunction, type NodeRegistry } from 'flowcraft';

type Given = NodeContext<Record<string, unknown>, Record<string, unknown>, unknown>;
type Params = Record<string, unknown>;

/** JSON with sorted keys: equal values give equal text. */
export function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_key, inner: unknown) =>
      inner !== null && typeof inner === 'object' && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
        : inner,
    ) ?? 'undefined'
  );
}

/** FNV-1a, 32 bits. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return value;
}

const digest = (params: Params, value: unknown) => hash(`${String(params['node'])}|${canonical(value)}`);

async function count(context: Given['context'], key: string): Promise<number> {
  const value = (((await context.get(key as never)) as number | undefined) ?? 0) + 1;
  await context.set(key as never, value);
  return value;
}

const define = (
  run: (given: { input: unknown; params: Params; context: Given['context'] }) => Promise<object | void>,
) =>
  (async ({ input, params, context }: Given) =>
    run({ input, params: params ?? {}, context })) as unknown as NodeFunction;

/** All are deterministic: what they give depends on their input, their parameters and the context only. */
const functions: Record<string, NodeFunction> = {
  mix: define(async ({ input, params }) => ({ output: digest(params, input) % 1000 })),
  /** Picks one of `params.actions` (null: none) by its output. */
  choose: define(async ({ input, params }) => {
    const output = digest(params, input) % 1000;
    const actions = params['actions'] as (string | null)[];
    const action = actions.length === 0 ? null : actions[output % actions.length];
    return action === null ? { output } : { output, action };
  }),
  /** Says `again` so often, then `on`. Counts for itself, so that it ends whatever leads to it. */
  turnstile: define(async ({ input, params, context }) => {
    const times = await count(context, `turns_${String(params['node'])}`);
    return { output: digest(params, [input, times]) % 1000, action: times <= Number(params['times']) ? 'again' : 'on' };
  }),
  set: define(async ({ params, context }) => {
    await context.set(params['key'] as never, params['value']);
    return { output: params['value'] };
  }),
  increment: define(async ({ params, context }) => ({ output: await count(context, String(params['key'])) })),
  /** Sees what earlier nodes left under their names, as inputs do not show it. */
  look: define(async ({ input, params, context }) => {
    const seen: unknown[] = [];
    for (const key of params['keys'] as string[])
      seen.push(await context.get(key as never), await context.has(key as never));
    return { output: digest(params, [input, seen]) % 1000 };
  }),
  forget: define(async ({ params, context }) => ({ output: await context.delete(params['key'] as never) })),
  fail: define(async ({ params }) => {
    throw new Error(`no ${String(params['node'])}`);
  }),
  failOnOdd: define(async ({ input, params }) => {
    const output = digest(params, input) % 1000;
    if (output % 2 === 1) throw new Error(`odd ${output}`);
    return { output };
  }),
  fatal: define(async ({ params }) => {
    throw new FlowcraftError(`fatal ${String(params['node'])}`, { isFatal: true });
  }),
  /** Fails so often; its writes in failed attempts stay. */
  flaky: define(async ({ input, params, context }) => {
    const attempt = await count(context, `attempts_${String(params['node'])}`);
    if (attempt <= Number(params['fails'])) throw new Error(`attempt ${attempt} of ${String(params['node'])}`);
    return { output: [digest(params, input) % 1000, attempt] };
  }),
  nothing: define(async () => undefined),
  empty: define(async () => ({})),
  items: define(async ({ input, params }) => {
    const value = digest(params, input);
    return { output: Array.from({ length: value % 5 }, (_, i) => (value >> i) % 100) };
  }),
  /** A worker of a batch; gets no parameters. */
  item: define(async ({ input }) => ({ output: hash(`item|${canonical(input)}`) % 1000 })),
  itemOrNothing: define(async ({ input }) => (hash(canonical(input)) % 3 === 0 ? {} : { output: input })),
  itemOrFailure: define(async ({ input }) => {
    if (hash(canonical(input)) % 7 === 0) throw new Error(`item ${canonical(input)} is refused`);
    return { output: input };
  }),
  spawn: define(async ({ input, params }) => ({
    output: params['gather'] === undefined ? digest(params, input) % 1000 : { gatherNodeId: params['gather'] },
    dynamicNodes: (params['ids'] as string[]).map((id) => ({
      id,
      uses: 'mix',
      params: { node: id },
      inputs: params['node'],
    })),
  })),
  /** Adds nodes as `params.adds` writes them. */
  adds: define(async ({ input, params }) => ({
    output: params['gather'] === undefined ? digest(params, input) % 1000 : { gatherNodeId: params['gather'] },
    dynamicNodes: structuredClone(params['adds']) as object[],
    ...(params['action'] === undefined ? {} : { action: params['action'] }),
  })),
  /** Writes keys that are none of its own, of which two have the name of an output. */
  write: define(async ({ params, context }) => {
    for (const [key, value] of Object.entries(params['values'] as object))
      if (value === null) await context.delete(key as never);
      else await context.set(key as never, value as unknown);
    return params['without'] === true ? undefined : { output: 'written' };
  }),
  /** Stands in for a wait: what it is answered, without waiting. */
  answered: define(async ({ params }) => {
    const { output, action } = params['answer'] as { output: unknown; action?: string };
    return { output, ...(action === undefined ? {} : { action }) };
  }),
};

/** A class node that writes its phases into the context. */
class Phases extends BaseNode {
  protected async note(given: Given, what: string): Promise<void> {
    const key = `phases_${this.nodeId}` as never;
    await given.context.set(key, [...(((await given.context.get(key)) as string[] | undefined) ?? []), what] as never);
  }
  override async prep(given: Given): Promise<unknown> {
    await this.note(given, 'prep');
    if (this.params?.['failIn'] === 'prep') throw new Error('prep failed');
    return { prepared: given.input };
  }
  override async exec(prepared: unknown, given: Given): Promise<{ output: unknown }> {
    await this.note(given, 'exec');
    const attempt = await count(given.context, `attempts_${this.nodeId}`);
    if (attempt <= Number(this.params?.['fails'] ?? 0)) throw new Error(`attempt ${attempt} of ${this.nodeId}`);
    return { output: [digest(this.params ?? {}, prepared) % 1000, attempt] };
  }
  override async post(result: { output: unknown }, given: Given): Promise<{ output: unknown }> {
    await this.note(given, 'post');
    if (this.params?.['failIn'] === 'post') throw new Error('post failed');
    return result;
  }
  override async recover(error: Error, given: Given): Promise<void> {
    await this.note(given, `recover: ${error.message}`);
  }
}

class PhasesWithFallback extends Phases {
  override async fallback(error: Error, given: Given): Promise<{ output: unknown }> {
    await this.note(given, `fallback: ${error.message}`);
    if (this.params?.['failIn'] === 'fallback') throw new Error('fallback failed');
    return { output: `rescued: ${error.message}` };
  }
}

export const nodeTypes = { ...functions, Phases, PhasesWithFallback } as unknown as NodeRegistry;
