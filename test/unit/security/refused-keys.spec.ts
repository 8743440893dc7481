import { afterEach, describe, expect, it } from '@jest/globals';
import { createFlow, type NodeContext } from 'flowcraft';
import { MemoryServers } from '../../../src/drivers/memory/memory-servers.js';
import { SystemClock } from '../../../src/drivers/system/system-clock.js';
import { ErrorCode } from '../../../src/index.js';
import { until } from '../../support/redis-lab.js';
import { startApp, type TestApp } from '../../support/nest-app.js';

/** As they come out of a parser: with keys of their own that reach prototypes when they are assigned. */
const HOSTILE = JSON.parse(
  '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}, "prototype": {"polluted": 1}, "list": [{"__proto__": {"polluted": 1}}]}',
) as Record<string, unknown>;
const KEYS = ['__proto__', 'constructor', 'prototype'];

let running: TestApp | undefined;
const start = async (...args: Parameters<typeof startApp>) => (running = await startApp(...args));
afterEach(async () => {
  await running?.app.close();
  running = undefined;
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  expect(Object.keys(Object.prototype)).toEqual([]);
});

/** The very data, with all keys its own. */
const isHostile = (value: unknown) => {
  expect(JSON.stringify(value)).toBe(JSON.stringify(HOSTILE));
  expect((value as { polluted?: unknown }).polluted).toBeUndefined();
};

const bodyOf = (uses: string, id: string) => ({ id: 'flow', nodes: [{ id, uses }], edges: [] });

describe.each(KEYS)('the key %s', (key) => {
  it('is refused in an initial context', async () => {
    const flow = createFlow('flow').node('a', async () => ({ output: 1 }));
    const { client } = await start({ runtime: { blueprints: { flow } } });
    const context = JSON.parse(`{"${key}": {"polluted": 1}}`) as Record<string, unknown>;
    await expect(client.start('flow', context)).rejects.toMatchObject({ code: ErrorCode.ContextKeyRefused });
  });

  it('fails a node that writes it', async () => {
    const flow = createFlow('flow').node('a', async ({ context }: NodeContext) => {
      await context.set(key, { polluted: 1 });
      return { output: 1 };
    });
    const { run } = await start({ runtime: { blueprints: { flow } } });
    expect(await run('flow')).toMatchObject({
      status: 'failed',
      errors: [{ nodeId: 'a', cause: { name: 'ContextKeyRefusedError' } }],
    });
  });

  it('may be asked for, and is nothing', async () => {
    const flow = createFlow('flow').node('a', async ({ context }: NodeContext) => ({
      output: [await context.has(key), (await context.get(key)) ?? null, await context.delete(key)],
    }));
    const { run } = await start({ runtime: { blueprints: { flow } } });
    expect((await run('flow')).result?.context['a']).toEqual([false, null, false]);
  });

  it('can be no id of a node, nor of a dynamic one, nor the name of an input', async () => {
    const registry = {
      step: async () => ({ output: { polluted: 1 } }),
      adds: async () => ({ output: 1, dynamicNodes: [{ id: key, uses: 'step' }] }),
    };
    const inputs = JSON.parse(`{"${key}": "b"}`) as Record<string, string>;
    const mapped = { id: 'mapped', nodes: [{ id: 'a', uses: 'step', inputs }], edges: [] };
    const blueprints = { id: bodyOf('step', key), mapped, adds: { ...bodyOf('adds', 'a'), id: 'adds' } };
    const { client, run } = await start({ runtime: { blueprints, registry } });
    await expect(client.start('flow')).rejects.toMatchObject({ code: ErrorCode.BlueprintInvalid });
    await expect(client.start('mapped')).rejects.toMatchObject({ code: ErrorCode.BlueprintInvalid });
    expect(await run('adds')).toMatchObject({
      status: 'failed',
      errors: [{ cause: { name: 'DynamicNodeInvalidError' } }],
    });
  });

  it('is no blueprint, no version and no node to answer', async () => {
    const flow = createFlow('flow').wait('w');
    const { client } = await start({ runtime: { blueprints: { flow } } });
    await expect(client.start(key)).rejects.toMatchObject({ code: ErrorCode.BlueprintNotFound });
    await expect(client.start('flow', {}, { version: key })).rejects.toMatchObject({
      code: ErrorCode.BlueprintNotFound,
    });
    const { runId } = await client.start('flow');
    await client.waitForWorkflow(runId, { until: 'settled' });
    await expect(client.resume(runId, { nodeId: key })).rejects.toMatchObject({ code: ErrorCode.NodeNotAwaiting });
  });

  it('of a subflow is refused where it would be written, and nothing where it is read', async () => {
    const child = createFlow('child').node('c', async () => ({ output: 1 }));
    const params = (name: string, map: string) => ({
      blueprintId: 'child',
      [name]: JSON.parse(map) as Record<string, string>,
    });
    const blueprints = {
      child,
      into: {
        id: 'into',
        nodes: [{ id: 's', uses: 'subflow', params: params('inputs', `{"${key}": "x"}`) }],
        edges: [],
      },
      out: {
        id: 'out',
        nodes: [{ id: 's', uses: 'subflow', params: params('outputs', `{"${key}": "c"}`) }],
        edges: [],
      },
      reads: {
        id: 'reads',
        nodes: [{ id: 's', uses: 'subflow', params: params('outputs', `{"x": "${key}"}`) }],
        edges: [],
      },
    };
    const { run } = await start({ runtime: { blueprints } });
    for (const id of ['into', 'out'])
      expect(await run(id)).toMatchObject({
        status: 'failed',
        errors: [{ cause: { name: 'ContextKeyRefusedError' } }],
      });
    const { status, result } = await run('reads');
    expect([status, result?.context['x']]).toEqual(['completed', undefined]);
  });
});

describe('data that holds such keys', () => {
  it('is carried through contexts, inputs, outputs, params and results as it is', async () => {
    const seen: unknown[] = [];
    const flow = {
      id: 'flow',
      nodes: [
        { id: 'a', uses: 'first', params: { data: HOSTILE } },
        { id: 'b', uses: 'second', inputs: { fromA: 'a', initial: 'data' } },
      ],
      edges: [{ source: 'a', target: 'b', transform: 'input' }],
    };
    const registry = {
      first: async ({ params }: NodeContext) => {
        seen.push((params as Record<string, unknown> | undefined)?.['data']);
        return { output: HOSTILE };
      },
      second: async ({ input, context }: NodeContext) => {
        seen.push(input, await context.get('data'), await context.get('a'));
        await context.set('written', HOSTILE);
        return { output: HOSTILE };
      },
    };
    const { run, client } = await start({ runtime: { blueprints: { flow }, registry: registry as never } });
    const { runId, status, result } = await run('flow', { data: HOSTILE });
    expect(status).toBe('completed');
    for (const value of seen) isHostile(value);
    for (const key of ['a', 'b', 'data', 'written', '_outputs.b']) isHostile(result?.context[key]);
    isHostile((await client.getContext(runId))['written']);
  });

  it('is an answer to a wait like any other', async () => {
    const flow = createFlow('flow').wait('w');
    const { client } = await start({ runtime: { blueprints: { flow } } });
    const { runId } = await client.start('flow');
    await client.waitForWorkflow(runId, { until: 'settled' });
    await client.resume(runId, { output: HOSTILE });
    isHostile((await client.waitForWorkflow(runId)).result?.context['w']);
  });

  it('is put into the params of dynamic nodes like any other', async () => {
    const seen: unknown[] = [];
    const registry = {
      adds: async () => ({ output: 1, dynamicNodes: [{ id: 'd', uses: 'shows', params: { data: HOSTILE } }] }),
      shows: async ({ params }: { params?: Record<string, unknown> }) => {
        seen.push(params?.['data']);
        return { output: 1 };
      },
    };
    const { run } = await start({
      runtime: { blueprints: { flow: bodyOf('adds', 'a') }, registry: registry as never },
    });
    expect(await run('flow')).toMatchObject({ status: 'completed' });
    expect(seen).toHaveLength(1);
    isHostile(seen[0]);
  });

  it("comes out of a foreign client's context as it is", async () => {
    const servers = new MemoryServers({ clock: new SystemClock() });
    const flow = createFlow('flow').node('a', async ({ context }: NodeContext) => ({
      output: await context.get('data'),
    }));
    const { client } = await start({ runtime: { blueprints: { flow } } }, { servers });
    servers.store.foreign.set('r1', { data: `{"data": ${JSON.stringify(HOSTILE)}}`, stamp: 1 });
    servers.broker.append('r1', Buffer.from(JSON.stringify({ runId: 'r1', blueprintId: 'flow', nodeId: 'a' })));
    await until(async () => (await client.getRun('r1').catch(() => undefined))?.status === 'completed');
    isHostile((await client.getContext('r1'))['a']);
  });

  it('in a message of the topic makes no job', async () => {
    const servers = new MemoryServers({ clock: new SystemClock() });
    await start({}, { servers });
    servers.broker.append('x', Buffer.from('{"__proto__": {"runId": "r1", "blueprintId": "b", "nodeId": "a"}}'));
    await until(() => servers.broker.deadLetters.length > 0);
    expect(servers.broker.deadLetters[0]).toMatchObject({ reason: { code: ErrorCode.JobMalformed } });
  });
});
