import { UnsafeEvaluator, type NodeContext, type WorkflowBlueprint } from 'flowcraft';
import {
  ArgumentInvalidError,
  RunNotRetryableError,
  type FlowcraftClient,
  type FlowcraftRuntimeOptions,
  type TurnInfo,
} from '../../src/index.js';

export interface RetryBench {
  readonly client: FlowcraftClient;
  close(): Promise<void>;
}

const edge = (source: string, target: string) => ({ source, target });
const step = (id: string, config = {}) => ({ id, uses: 'step', config });

const line: WorkflowBlueprint = {
  id: 'line',
  nodes: [step('a'), step('b'), step('c')],
  edges: [edge('a', 'b'), edge('b', 'c')],
};
const diamond: WorkflowBlueprint = {
  id: 'diamond',
  nodes: [step('s'), step('l'), step('r'), step('j')],
  edges: [edge('s', 'l'), edge('s', 'r'), edge('l', 'j'), edge('r', 'j')],
};
const loop: WorkflowBlueprint = {
  id: 'loop',
  nodes: [
    step('first'),
    { id: 'ctl', uses: 'loop-controller', params: { condition: 'count < 3' }, config: { joinStrategy: 'any' } },
    { id: 'body', uses: 'count' },
    step('end'),
  ],
  edges: [
    edge('first', 'ctl'),
    { source: 'ctl', target: 'body', action: 'continue' },
    edge('body', 'ctl'),
    { source: 'ctl', target: 'end', action: 'break' },
  ],
};
const outer: WorkflowBlueprint = {
  id: 'outer',
  nodes: [{ id: 'sub', uses: 'subflow', params: { blueprintId: 'line' } }, step('after')],
  edges: [edge('sub', 'after')],
};
const waits: WorkflowBlueprint = {
  id: 'waits',
  nodes: [{ id: 'w', uses: 'wait' }, { id: 'slow', uses: 'slow' }, step('z')],
  edges: [edge('w', 'z'), edge('slow', 'z')],
};

const many: WorkflowBlueprint = {
  id: 'many',
  nodes: [
    {
      id: 'scatter',
      uses: 'batch-scatter',
      inputs: 'items',
      params: { workerUsesKey: 'item', gatherNodeId: 'gather' },
    },
    { id: 'gather', uses: 'batch-gather', params: { gatherNodeId: 'gather', outputKey: 'all' } },
    step('last'),
  ],
  edges: [edge('scatter', 'gather'), edge('gather', 'last')],
};
const later: WorkflowBlueprint = { id: 'later', nodes: [step('only')], edges: [] };
const long: WorkflowBlueprint = { id: 'long', nodes: [{ id: 'slow', uses: 'slow' }], edges: [] };

/** What a run that is retried does, whatever it is stored in. */
export function describeRetry(open: (runtime: FlowcraftRuntimeOptions) => Promise<RetryBench>): void {
  let bench: RetryBench;
  let client: FlowcraftClient;
  /** Executions as `runId/node`, with the key that the node was given. */
  const executed: { at: string; key: string }[] = [];
  /** Nodes that fail, as `node`. */
  const broken = new Set<string>();
  let release = () => {};
  let prefix = '';
  let count = 0;
  const newRun = () => `${prefix}-${(count += 1)}`;
  const names = (runId: string) =>
    executed.filter(({ at }) => at.startsWith(`${runId}/`)).map(({ at }) => at.split('/')[1]);
  const keys = (runId: string, node: string) =>
    executed.filter(({ at }) => at === `${runId}/${node}`).map(({ key }) => key);

  const note = ({ dependencies }: NodeContext): TurnInfo => {
    const turn = dependencies['turn'] as TurnInfo;
    executed.push({ at: `${turn.runId}/${turn.nodeId}`, key: turn.idempotencyKey });
    return turn;
  };

  beforeAll(async () => {
    prefix = `retry-${Math.random().toString(36).slice(2)}`;
    bench = await open({
      evaluator: new UnsafeEvaluator(),
      blueprints: { line, diamond, loop, outer, waits, many, later, long },
      registry: {
        step: async (context: NodeContext) => {
          const { nodeId } = note(context);
          if (broken.has(nodeId)) throw new Error(`${nodeId} is broken`);
          const word = await context.context.get('word' as never);
          return { output: `${String(context.input ?? word ?? '')}${nodeId}` };
        },
        count: async (context: NodeContext) => {
          note(context);
          const next = Number((await context.context.get('count' as never)) ?? 0) + 1;
          await context.context.set('count' as never, next);
          return { output: next };
        },
        item: async (context: NodeContext) => {
          note(context);
          if (broken.has(`item ${String(context.input)}`)) throw new Error('The item is broken.');
          return { output: context.input };
        },
        slow: async (context: NodeContext) => {
          note(context);
          await new Promise<void>((resolve) => {
            release = resolve;
            context.signal?.addEventListener('abort', () => resolve());
          });
          return { output: 'slow' };
        },
      },
    });
    ({ client } = bench);
  }, 60_000);
  afterEach(() => broken.clear());
  afterAll(async () => {
    release();
    await bench.close();
  }, 60_000);

  const failing = async (blueprintId: string, nodeId: string, context: Record<string, unknown> = {}) => {
    broken.add(nodeId);
    const runId = newRun();
    await client.start(blueprintId, context, { runId });
    expect(await client.waitForWorkflow(runId, { timeoutMs: 20_000 })).toMatchObject({ status: 'failed' });
    broken.clear();
    return runId;
  };
  const ended = (runId: string) => client.waitForWorkflow(runId, { timeoutMs: 20_000 });

  it('continues from the failed node, with the same key, and keeps what had completed', async () => {
    const runId = await failing('line', 'b', { word: 'x' });
    const result = await client.retry(runId);
    expect(result).toMatchObject({
      runId,
      dryRun: false,
      ready: [{ nodeId: 'b', turn: '1' }],
      discarded: [{ nodeId: 'b', turn: '1', status: 'failed' }],
      follow: ['c'],
    });
    expect(await ended(runId)).toMatchObject({
      status: 'completed',
      result: { context: { a: 'xa', b: 'xab', c: 'xabc' } },
    });
    expect(names(runId)).toEqual(['a', 'b', 'b', 'c']);
    expect(new Set(keys(runId, 'b')).size).toBe(1);
    const run = await client.getRun(runId);
    expect(run).toMatchObject({ status: 'completed', retries: 1 });
    expect(run.reason).toBeUndefined();
    expect(run.nodes.map(({ nodeId, status }) => [nodeId, status])).toEqual([
      ['a', 'completed'],
      ['b', 'completed'],
      ['c', 'completed'],
    ]);
  }, 30_000);

  it('fails again if the node does, and can be retried again', async () => {
    const runId = await failing('line', 'b');
    broken.add('b');
    await client.retry(runId);
    const outcome = await ended(runId);
    expect(outcome).toMatchObject({ status: 'failed', errors: [{ nodeId: 'b' }] });
    expect(outcome.errors).toHaveLength(1);
    broken.clear();
    await client.retry(runId);
    expect(await ended(runId)).toMatchObject({ status: 'completed' });
    expect(names(runId)).toEqual(['a', 'b', 'b', 'b', 'c']);
    expect(await client.getRun(runId)).toMatchObject({ retries: 2 });
  }, 30_000);

  it('tells with dryRun what would execute, and changes nothing', async () => {
    const runId = await failing('diamond', 'r');
    const before = await client.getRun(runId);
    const plan = await client.retry(runId, { dryRun: true });
    expect(plan).toMatchObject({ dryRun: true, ready: [{ nodeId: 'r', turn: '1' }], follow: ['j'] });
    expect(await client.retry(runId, { dryRun: true, fromNodeId: 's' })).toMatchObject({
      ready: [{ nodeId: 's', turn: '1' }],
      follow: expect.arrayContaining(['l', 'r', 'j']) as unknown,
    });
    expect(await client.getRun(runId)).toEqual(before);
    await client.retry(runId);
    expect(await ended(runId)).toMatchObject({ status: 'completed' });
    expect(names(runId).sort()).toEqual(['j', 'l', 'r', 'r', 's']);
  }, 30_000);

  it('executes from the named node on with new keys, and with the values of contextPatch', async () => {
    const runId = await failing('line', 'c', { word: 'x' });
    await client.retry(runId, { fromNodeId: 'b', contextPatch: { '_inputs.b': 'patched-', extra: { n: 1 } } });
    expect(await ended(runId)).toMatchObject({
      status: 'completed',
      result: { context: { a: 'xa', b: 'patched-b', c: 'patched-bc', extra: { n: 1 }, word: 'x' } },
    });
    expect(names(runId)).toEqual(['a', 'b', 'c', 'b', 'c']);
    const [first, second] = keys(runId, 'b');
    expect(second).toBe(`${first}~1`);
    // c had not completed: what it may have done under its key stays its own
    expect(new Set(keys(runId, 'c')).size).toBe(1);
  }, 30_000);

  it('replaces the output of a node for those that read it', async () => {
    const runId = await failing('line', 'c');
    await client.retry(runId, { contextPatch: { b: 'by hand' } });
    await ended(runId);
    const context = await client.getContext(runId);
    expect(context).toMatchObject({ b: 'by hand', '_outputs.b': 'by hand' });
  }, 30_000);

  it('executes a completed run again from a node, and only if one is named', async () => {
    const runId = newRun();
    await client.start('diamond', { word: '1' }, { runId });
    await ended(runId);
    await expect(client.retry(runId)).rejects.toBeInstanceOf(RunNotRetryableError);
    await client.retry(runId, { fromNodeId: 'l' });
    expect(await ended(runId)).toMatchObject({ status: 'completed' });
    expect(names(runId).sort()).toEqual(['j', 'j', 'l', 'l', 'r', 's']);
  }, 30_000);

  it('starts a loop anew when it begins within, and forgets what its passes wrote', async () => {
    const runId = newRun();
    await client.start('loop', { count: 0 }, { runId });
    expect(await ended(runId)).toMatchObject({ status: 'completed', result: { context: { count: 3 } } });
    await client.retry(runId, { fromNodeId: 'ctl' });
    expect(await ended(runId)).toMatchObject({ status: 'completed', result: { context: { count: 3, body: 3 } } });
    expect(names(runId).filter((name) => name === 'body')).toHaveLength(6);
    expect(names(runId).filter((name) => name === 'first')).toHaveLength(1);
  }, 30_000);

  it('starts a failed subflow anew', async () => {
    broken.add('b');
    const runId = newRun();
    await client.start('outer', {}, { runId });
    expect(await ended(runId)).toMatchObject({ status: 'failed' });
    broken.clear();
    const child = (await client.listRuns({ limit: 1000 })).runs.find((run) => run.runId.startsWith(`${runId}.`));
    await expect(client.retry(child?.runId ?? '')).rejects.toThrow(/subflow/);
    await client.retry(runId);
    expect(await ended(runId)).toMatchObject({
      status: 'completed',
      result: { context: { sub: 'abc', after: 'abcafter' } },
    });
  }, 30_000);

  it('continues a cancelled run where it was: what executed executes again, what waited waits', async () => {
    const runId = newRun();
    await client.start('waits', {}, { runId });
    for (let i = 0; i < 200 && !names(runId).includes('slow'); i++) await new Promise((r) => setTimeout(r, 25));
    for (let i = 0; i < 200 && (await client.getRun(runId)).awaiting.length === 0; i++)
      await new Promise((r) => setTimeout(r, 25));
    await client.cancel(runId);
    expect(await ended(runId)).toMatchObject({ status: 'cancelled' });
    await client.retry(runId);
    for (let i = 0; i < 400 && names(runId).filter((n) => n === 'slow').length < 2; i++)
      await new Promise((r) => setTimeout(r, 25));
    release();
    await client.resume(runId, { nodeId: 'w', output: 'ok' });
    expect(await ended(runId)).toMatchObject({ status: 'completed', result: { context: { w: 'ok', slow: 'slow' } } });
    expect(names(runId)).toEqual(['slow', 'slow', 'z']);
  }, 60_000);

  it('of a batch tells that what gathers it follows', async () => {
    const runId = await failing('many', 'item 2', { items: [1, 2, 3] });
    const plan = await client.retry(runId, { dryRun: true });
    expect(plan.ready).toHaveLength(1);
    expect([...plan.follow].sort()).toEqual(['gather', 'last']);
    await client.retry(runId);
    expect(await ended(runId)).toMatchObject({ status: 'completed' });
  }, 30_000);

  it('has the time anew that the run was started with', async () => {
    const runId = newRun();
    await client.start('long', {}, { runId, timeoutMs: 800 });
    expect(await ended(runId)).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('did not end within 800 ms') as unknown,
    });
    const retriedAt = Date.now();
    await client.retry(runId);
    expect(await ended(runId)).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('did not end within 800 ms') as unknown,
    });
    expect(Date.now() - retriedAt).toBeGreaterThan(700);
    await client.retry(runId);
    for (let i = 0; i < 200 && names(runId).length < 3; i++) await new Promise((r) => setTimeout(r, 10));
    release();
    expect(await ended(runId)).toMatchObject({ status: 'completed' });
  }, 30_000);

  it('of a run that had not begun waits for its time', async () => {
    const runId = newRun();
    const beginsAt = Date.now() + 2_000;
    await client.start('later', {}, { runId, delayMs: 2_000 });
    await client.cancel(runId);
    await ended(runId);
    await client.retry(runId);
    expect(await client.waitForWorkflow(runId, { until: 'settled', timeoutMs: 1_000 })).toMatchObject({
      status: 'awaiting',
    });
    expect(await ended(runId)).toMatchObject({ status: 'completed' });
    expect(Date.now()).toBeGreaterThanOrEqual(beginsAt - 5);
    expect(names(runId)).toEqual(['only']);
  }, 30_000);

  it('is refused for a run that goes on, for a node that is none, and for values that cannot be stored', async () => {
    const runId = newRun();
    await client.start('waits', {}, { runId });
    await expect(client.retry(runId)).rejects.toMatchObject({ code: 'FLOW_RUN_NOT_RETRYABLE' });
    await client.cancel(runId);
    await ended(runId);
    const failed = await failing('line', 'b');
    await expect(client.retry(failed, { fromNodeId: 'nobody' })).rejects.toBeInstanceOf(ArgumentInvalidError);
    await expect(client.retry(failed, { fromNodeId: 'c' })).rejects.toBeInstanceOf(RunNotRetryableError);
    await expect(client.retry(failed, { contextPatch: { big: 1n } })).rejects.toMatchObject({
      code: 'FLOW_VALUE_NOT_SERIALIZABLE',
    });
    await expect(client.retry(failed, { contextPatch: { __proto__: null, constructor: 1 } })).rejects.toMatchObject({
      code: 'FLOW_CONTEXT_KEY_REFUSED',
    });
    await expect(client.retry(failed, { from: 'b' } as never)).rejects.toBeInstanceOf(ArgumentInvalidError);
    await expect(client.retry('no-such-run')).rejects.toMatchObject({ code: 'FLOW_RUN_NOT_FOUND' });
    expect(await client.getRun(failed)).toMatchObject({ status: 'failed' });
  }, 30_000);

  it('of several at once opens the run once', async () => {
    const runId = await failing('line', 'b');
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => client.retry(runId)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await ended(runId)).toMatchObject({ status: 'completed' });
    expect(names(runId)).toEqual(['a', 'b', 'b', 'c']);
  }, 30_000);
}
