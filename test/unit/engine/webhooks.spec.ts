import type { NodeContext, WorkflowBlueprint, WorkflowState } from 'flowcraft';
import { MemoryServers } from '../../../src/drivers/memory/memory-servers.js';
import { SystemClock } from '../../../src/drivers/system/system-clock.js';
import {
  RunEndedError,
  WebhookTargetInvalidError,
  WebhookUrlUnknownError,
  type NodeWebhooks,
  type TurnInfo,
} from '../../../src/index.js';
import { deferred } from '../../support/nest-app.js';
import { startWebhookApp, type WebhookApp } from '../../support/webhook-app.js';

const n = (id: string, uses: string, rest: object = {}) => ({ id, uses, ...rest });
const e = (source: string, target: string, action?: string) => ({ source, target, ...(action ? { action } : {}) });
const flow = (id: string, nodes: WorkflowBlueprint['nodes'], edges: WorkflowBlueprint['edges']): WorkflowBlueprint => ({
  id,
  nodes,
  edges,
});

const blueprints = [
  flow(
    'asks',
    [n('ask', 'ask'), n('hold', 'hold'), n('h', 'webhook'), n('z', 'echo')],
    [e('ask', 'hold'), e('hold', 'h'), e('h', 'z')],
  ),
  flow(
    'asks-again',
    [n('ask', 'ask'), n('hold', 'hold'), n('again', 'ask'), n('h', 'webhook'), n('z', 'echo')],
    [e('ask', 'hold'), e('hold', 'again'), e('again', 'h'), e('h', 'z')],
  ),
  flow('one', [n('h', 'webhook')], []),
  flow('asks-wait', [n('ask', 'ask'), n('h', 'wait'), n('z', 'echo')], [e('ask', 'h'), e('h', 'z')]),
  flow(
    'pair',
    [n('h', 'webhook'), n('tell', 'tell'), n('w', 'wait', { params: { eventName: 'webhook:h' } }), n('z', 'echo')],
    [e('h', 'tell'), e('tell', 'w'), e('w', 'z')],
  ),
  flow(
    'limited',
    [n('h', 'webhook', { params: { timeoutMs: 50, timeoutAction: 'late' } }), n('z', 'echo')],
    [e('h', 'z', 'late')],
  ),
  flow(
    'loop',
    [
      n('start', 'echo'),
      n('again', 'loop-controller', { params: { condition: 'more' }, config: { joinStrategy: 'any' } }),
      n('ask', 'ask'),
      n('h', 'webhook'),
      n('count', 'count'),
      n('end', 'echo'),
    ],
    [
      e('start', 'again'),
      e('ask', 'h'),
      e('h', 'count'),
      e('count', 'again'),
      e('again', 'ask', 'continue'),
      e('again', 'end', 'break'),
    ],
  ),
  flow('own-wait', [n('hold', 'hold'), n('w', 'waits'), n('plain', 'plain')], [e('hold', 'w'), e('w', 'plain')]),
  flow('any', [n('b', 'ask'), n('h', 'webhook', { config: { joinStrategy: 'any' } })], [e('b', 'h')]),
  flow('none', [n('a', 'hold')], []),
  flow(
    'other',
    [
      n('h', 'webhook'),
      n('s', 'sleep', { params: { duration: 60_000 } }),
      n('later', 'sleep', { params: { duration: 60_000 } }),
      n('sub', 'subflow', { params: { blueprintId: 'one' } }),
      n('scatter', 'batch-scatter', { params: { workerUsesKey: 'echo', outputKey: 'out', gatherNodeId: 'gather' } }),
      n('gather', 'batch-gather', { params: { outputKey: 'out', gatherNodeId: 'gather' } }),
    ],
    [e('h', 'later'), e('h', 'sub'), e('sub', 'scatter'), e('scatter', 'gather')],
  ),
];

describe('a webhook node', () => {
  let servers: MemoryServers;
  let hooks: WebhookApp;
  let urls: string[];
  let gate: ReturnType<typeof deferred<void>>;
  const registry = {
    echo: async ({ input }: NodeContext) => ({ output: input }),
    hold: async ({ input }: NodeContext) => {
      await gate.promise;
      return { output: input };
    },
    ask: async ({ dependencies }: NodeContext) => {
      const { url } = await (dependencies['webhooks'] as NodeWebhooks).urlFor('h');
      urls.push(url);
      return { output: 'asked' };
    },
    waits: async ({ dependencies }: NodeContext) => {
      await (dependencies['workflowState'] as WorkflowState<Record<string, unknown>>).markAsAwaiting('w');
      return {};
    },
    plain: async () => ({ output: 'as it is' }),
    tell: async ({ input }: NodeContext) => {
      urls.push((input as { url: string }).url);
      return { output: input };
    },
    count: async ({ context, input }: NodeContext) => {
      const seen = [...(((await context.get('seen')) as unknown[] | undefined) ?? []), input];
      await context.set('seen', seen);
      await context.set('more', seen.length < 3);
      return { output: input };
    },
  };
  const open = () => startWebhookApp(blueprints, { registry, worker: { leaseMs: 1000, livenessMs: 500 } }, { servers });
  const until = async (isSo: () => boolean | Promise<boolean>) => {
    while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5));
  };

  beforeEach(async () => {
    [servers, urls, gate] = [new MemoryServers({ clock: new SystemClock() }), [], deferred<void>()];
    hooks = await open();
  });
  afterEach(() => hooks.app.close());

  it('is answered at the URL that a node before it has asked for, also before it waits', async () => {
    const { runId } = await hooks.client.start('asks');
    await until(() => urls.length === 1);
    const statuses = await Promise.all([1, 2, 3, 4].map(async (i) => (await hooks.post(urls[0] ?? '', { i })).status));
    expect(statuses.sort()).toEqual([202, 404, 404, 404]);
    expect((await hooks.client.getRun(runId)).status).toBe('running');
    gate.resolve();
    const { status, result } = await hooks.outcome(runId);
    expect(status).toBe('completed');
    expect(result?.context['z']).toEqual({ i: expect.any(Number) });
    expect(servers.store.calls.size).toBe(0);
  });

  it('keeps what came early through the loss of its process and of the ledger', async () => {
    const { runId } = await hooks.client.start('asks');
    await until(() => urls.length === 1);
    expect((await hooks.post(urls[0] ?? '', 'early')).status).toBe(202);
    servers.ledger.clear();
    const first = hooks;
    hooks = await open();
    const closed = first.app.close();
    gate.resolve();
    await closed;
    expect((await hooks.outcome(runId)).result?.context['z']).toBe('early');
  }, 20_000);

  it('waits on through a restart and the loss of the ledger, and the URL stays valid', async () => {
    gate.resolve();
    const runId = await hooks.awaiting('asks');
    await hooks.app.close();
    servers.ledger.clear();
    hooks = await open();
    expect((await hooks.post(urls[0] ?? '', { a: 1 })).status).toBe(202);
    expect((await hooks.outcome(runId)).result?.context['z']).toEqual({ a: 1 });
  });

  it('may have several URLs, of which one serves', async () => {
    const runId = await hooks.awaiting('one');
    const made = await Promise.all([1, 2, 3].map(() => hooks.client.createWebhookUrl(runId, 'h')));
    expect(new Set(made.map(({ url }) => url)).size).toBe(3);
    const statuses = await Promise.all(made.map(async ({ url }) => (await hooks.post(url, {})).status));
    expect(statuses.sort()).toEqual([202, 404, 404]);
  });

  it('may as well be a wait node, and is resumed like one', async () => {
    const runId = await hooks.awaiting('asks-wait');
    expect((await hooks.post(urls[0] ?? '', 'by a call')).status).toBe(202);
    expect((await hooks.outcome(runId)).result?.context['z']).toBe('by a call');
    const other = await hooks.awaiting('one');
    const { url } = await hooks.client.createWebhookUrl(other, 'h');
    await hooks.client.resume(other, { nodeId: 'h', output: 'by a person' });
    expect((await hooks.post(url, 'late')).status).toBe(404);
    expect((await hooks.outcome(other)).result?.context['h']).toBe('by a person');
  });

  it('goes on at once if another node waits for its event, and hands on the URL, as in flowcraft', async () => {
    const runId = await hooks.awaiting('pair');
    expect((await hooks.client.getContext(runId))['h']).toEqual({
      url: urls[0],
      event: 'webhook:h',
      request: {},
    });
    expect((await hooks.client.getRun(runId)).awaiting.map(({ nodeId }) => nodeId)).toEqual(['w']);
    expect((await hooks.post(urls[0] ?? '', { a: 1 })).status).toBe(202);
    expect((await hooks.outcome(runId)).result?.context['z']).toEqual({ a: 1 });
  });

  it('goes on at once with an endpoint of the application, if its adapter makes such', async () => {
    const adapter = {
      registerWebhookEndpoint: async (runId: string, nodeId: string) => ({ url: `own:${nodeId}`, event: runId }),
    };
    const own = await startWebhookApp(blueprints, { registry, runtime: { dependencies: { adapter } } });
    const { runId } = await own.client.start('one');
    expect((await own.outcome(runId)).result?.context['h']).toMatchObject({ url: 'own:h', event: runId });
    await own.app.close();
  });

  it('may have a time limit, after which nobody can answer', async () => {
    const runId = await hooks.awaiting('limited');
    const { url } = await hooks.client.createWebhookUrl(runId, 'h');
    expect((await hooks.outcome(runId)).status).toBe('completed');
    expect((await hooks.post(url, {})).status).toBe(404);
  });

  it('in a loop has URLs for each pass, each of which serves for that pass only', async () => {
    const { runId } = await hooks.client.start('loop', { more: true });
    for (const pass of [1, 2, 3]) {
      await until(async () => urls.length === pass && (await hooks.client.getRun(runId)).awaiting.length === 1);
      for (const old of urls.slice(0, -1)) expect((await hooks.post(old, 'again')).status).toBe(404);
      expect((await hooks.post(urls.at(-1) ?? '', `pass ${pass}`)).status).toBe(202);
    }
    const { status, result } = await hooks.outcome(runId);
    expect(status).toBe('completed');
    expect(result?.context['seen']).toEqual(['pass 1', 'pass 2', 'pass 3']);
  });

  it('waits for another call when its outcome is discarded by a retry', async () => {
    const runId = await hooks.awaiting('asks-wait');
    await hooks.post(urls[0] ?? '', 'first');
    await hooks.outcome(runId);
    await hooks.client.retry(runId, { fromNodeId: 'ask' });
    await until(async () => urls.length === 2 && (await hooks.client.getRun(runId)).status === 'awaiting');
    expect((await hooks.post(urls[0] ?? '', 'again')).status).toBe(404);
    expect((await hooks.post(urls[1] ?? '', 'second')).status).toBe(202);
    expect((await hooks.outcome(runId)).result?.context['z']).toBe('second');
  });

  it('gets no URL where none could serve, with an error that says why', async () => {
    const create = async (runId: string, nodeId = 'h') => hooks.client.createWebhookUrl(runId, nodeId);
    const { runId: none } = await hooks.client.start('none');
    await expect(create(none)).rejects.toThrow(WebhookTargetInvalidError);
    await expect(create(none)).rejects.toThrow('no such node');
    gate.resolve();
    await hooks.outcome(none);
    await expect(create(none)).rejects.toThrow(RunEndedError);
    const { runId: loop } = await hooks.client.start('loop', { more: true });
    await expect(create(loop, 'count')).rejects.toThrow('its turn is not known');
    await until(() => urls.length === 1);
    await expect(create(loop, 'start')).rejects.toThrow('it has completed');
    await expect(create(loop, 'again')).rejects.toThrow('waits for no call');
    const runId = await hooks.awaiting('other');
    for (const [id, why] of [
      ['s', 'it waits for a time, not for a call'],
      ['later', 'it waits for a time, not for a call'],
      ['sub', 'as childRunId'],
      ['scatter', 'waits for no call'],
      ['gather', 'it waits for the items of a batch'],
    ] as const)
      await expect(create(runId, id)).rejects.toThrow(why);
    await expect(hooks.client.createWebhookUrl(runId, 7 as never)).rejects.toThrow('nodeId');
    const { runId: any } = await hooks.client.start('any');
    const { status, errors } = await hooks.outcome(any);
    expect([status, errors?.[0]?.cause?.message]).toEqual(['failed', expect.stringContaining('its turn is not known')]);
  });

  it('has its unused URLs back when a retry discards its outcome', async () => {
    gate.resolve();
    const runId = await hooks.awaiting('asks-wait');
    await hooks.client.resume(runId, { nodeId: 'h', output: 'by a person' });
    await hooks.outcome(runId);
    expect((await hooks.post(urls[0] ?? '', 'late')).status).toBe(404);
    await hooks.client.retry(runId, { fromNodeId: 'h' });
    await hooks.client.waitForWorkflow(runId, { until: 'settled' });
    expect((await hooks.post(urls[0] ?? '', 'by a call')).status).toBe(202);
    expect((await hooks.outcome(runId)).result?.context['z']).toBe('by a call');
  });

  it('may be a node of the application, which is handed what came early if it waits', async () => {
    const { runId } = await hooks.client.start('own-wait');
    const made = await Promise.all(['w', 'plain'].map((id) => hooks.client.createWebhookUrl(runId, id)));
    for (const { url } of made) expect((await hooks.post(url, 'early')).status).toBe(202);
    gate.resolve();
    const { status, result } = await hooks.outcome(runId);
    expect([status, result?.context['w'], result?.context['plain']]).toEqual(['completed', 'early', 'as it is']);
  });

  it('gets no other URL once a call has come, but a node that asks again does not fail', async () => {
    const { runId } = await hooks.client.start('asks-again');
    await until(() => urls.length === 1);
    expect((await hooks.post(urls[0] ?? '', { answer: 1 })).status).toBe(202);
    const asked = hooks.client.createWebhookUrl(runId, 'h');
    await expect(asked).rejects.toThrow(WebhookTargetInvalidError);
    await expect(asked).rejects.toThrow('a call to it has come already');
    gate.resolve();
    expect(await hooks.outcome(runId)).toMatchObject({
      status: 'completed',
      result: { context: { z: { answer: 1 } } },
    });
  });

  it('waits also where no URL can be made, and says what to set when one is asked for', async () => {
    const plain = await startWebhookApp(blueprints, { registry, webhooks: {} });
    const runId = await plain.awaiting('one');
    await expect(plain.client.createWebhookUrl(runId, 'h')).rejects.toThrow(WebhookUrlUnknownError);
    await expect(plain.client.createWebhookUrl(runId, 'h')).rejects.toThrow('webhooks.baseUrl');
    await plain.client.resume(runId, { output: 1 });
    expect((await plain.outcome(runId)).status).toBe('completed');
    await plain.app.close();
  });

  it('leaves neither token nor body readable in the store', async () => {
    const own = new MemoryServers({ clock: new SystemClock() });
    const encryption = { keys: { k: Buffer.alloc(32, 7) }, activeKeyId: 'k' };
    const sealed = await startWebhookApp(blueprints, { registry, encryption }, { servers: own });
    const { runId } = await sealed.client.start('asks');
    await until(() => urls.length === 1);
    await sealed.post(urls[0] ?? '', 'SENSITIVE');
    const token = urls[0]?.split('/').at(-1) ?? '';
    const stored = () =>
      JSON.stringify(
        Object.values(own.store).map((map) => (map instanceof Map ? [...map] : [])),
        (_k, v: unknown) => (v instanceof Map ? [...v] : v),
      );
    expect(own.store.calls.size).toBe(1);
    expect(stored()).not.toContain('SENSITIVE');
    expect(stored()).not.toContain(token);
    gate.resolve();
    expect((await sealed.outcome(runId)).result?.context['z']).toBe('SENSITIVE');
    expect(stored()).not.toContain('SENSITIVE');
    expect(stored()).not.toContain(token);
    await sealed.app.close();
  });

  it('tells a node who it is beside its webhooks, and leaves a dependency of that name alone', async () => {
    const seen: unknown[] = [];
    const look = async ({ dependencies }: NodeContext) => {
      seen.push(dependencies['webhooks'], (dependencies['turn'] as TurnInfo).nodeId);
      return {};
    };
    const own = await startWebhookApp([flow('looks', [n('a', 'look')], [])], {
      registry: { look },
      runtime: { dependencies: { webhooks: 'mine' } },
    });
    await own.outcome((await own.client.start('looks')).runId);
    expect(seen).toEqual(['mine', 'a']);
    await own.app.close();
  });
});
