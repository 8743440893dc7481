import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createFlow, type NodeContext, type WorkflowBlueprint } from 'flowcraft';
import { MemoryServers } from '../../../src/drivers/memory/memory-servers.js';
import { SystemClock } from '../../../src/drivers/system/system-clock.js';
import { ErrorCode, type FlowcraftKafkaOptions } from '../../../src/index.js';
import { startApp, type TestApp } from '../../support/nest-app.js';
import { until } from '../../support/redis-lab.js';

const SECRET = 'P4Y104D';
const keys = { k1: randomBytes(32), k2: randomBytes(32) };
const LONG = SECRET.repeat(100);

/** Every way by which a value of a context comes to be stored. */
const blueprints: Record<string, WorkflowBlueprint> = {
  flow: {
    id: 'flow',
    nodes: [
      { id: 'long', uses: 'long' },
      { id: 'short', uses: 'short' },
      { id: 'fan', uses: 'fan' },
      { id: 'child', uses: 'subflow', params: { blueprintId: 'child', inputs: { from: 'long' } } },
      { id: 'fails', uses: 'fails', config: { fallback: 'rescue' } },
      { id: 'rescue', uses: 'short' },
      { id: 'wait', uses: 'wait' },
      { id: 'end', uses: 'short', inputs: { a: 'long', b: 'wait' } },
    ],
    edges: [
      { source: 'long', target: 'short' },
      { source: 'short', target: 'fan' },
      { source: 'fan', target: 'child' },
      { source: 'child', target: 'fails' },
      { source: 'fails', target: 'wait' },
      { source: 'wait', target: 'end', transform: 'input' },
    ],
  },
  child: { id: 'child', nodes: [{ id: 'c', uses: 'long', inputs: 'from' }], edges: [] },
  broken: { id: 'broken', nodes: [{ id: 'a', uses: 'fails' }], edges: [] },
};
const registry = {
  long: async () => ({ output: LONG }),
  short: async ({ context }: NodeContext) => {
    await context.set('written', SECRET);
    return { output: { text: SECRET } };
  },
  fan: async () => ({ output: SECRET, dynamicNodes: [{ id: 'd', uses: 'short', params: { secret: SECRET } }] }),
  fails: async () => {
    throw new Error(SECRET);
  },
};

const running: TestApp[] = [];
afterEach(async () => {
  for (const { app } of running.splice(0)) await app.close();
});

async function start(servers: MemoryServers, encryption?: FlowcraftKafkaOptions['encryption'], worker = {}) {
  const options = { runtime: { blueprints, registry: registry as never }, worker };
  const app = await startApp(encryption ? { ...options, encryption } : options, { servers });
  running.push(app);
  return app;
}

const newServers = () => new MemoryServers({ clock: new SystemClock() });

async function runAll({ client, run }: TestApp) {
  const { runId } = await client.start('flow', { initial: SECRET }, { runId: 'r1' });
  await client.waitForWorkflow(runId, { until: 'settled' });
  await client.resume(runId, { output: SECRET });
  const { status, result } = await client.waitForWorkflow(runId, { timeoutMs: 20_000 });
  const broken = await run('broken', { initial: SECRET });
  return { status, result: result?.context, broken: [broken.status, broken.reason] };
}

const stored = ({ store }: MemoryServers) =>
  inspect([store.runs, store.turns, store.values, store.statuses], {
    depth: 9,
    maxStringLength: null,
    maxArrayLength: null,
  });

describe('encryption', () => {
  it('changes no result, and leaves nothing that could be read in the store', async () => {
    const [plain, sealed] = [newServers(), newServers()];
    const expected = await runAll(await start(plain));
    expect(expected.status).toBe('completed');
    expect(stored(plain)).toContain(SECRET);
    expect(await runAll(await start(sealed, { keys, activeKeyId: 'k1' }))).toEqual(expected);
    expect(stored(sealed)).toContain('enc1:k1:');
    expect(stored(sealed)).not.toContain(SECRET);
    expect(inspect([sealed.ledger, sealed.broker], { depth: 9 })).not.toContain(SECRET);
  });

  it('goes on with a new key where the old one began', async () => {
    const servers = newServers();
    const one = await start(servers, { keys, activeKeyId: 'k1' });
    const { runId } = await one.client.start('flow');
    await one.client.waitForWorkflow(runId, { until: 'settled' });
    await one.app.close();
    running.splice(0);
    const two = await start(servers, { keys, activeKeyId: 'k2' });
    await two.client.resume(runId, { output: SECRET });
    expect(await two.client.waitForWorkflow(runId)).toMatchObject({ status: 'completed' });
    expect(stored(servers)).toMatch(/enc1:k1:[^]*enc1:k2:|enc1:k2:[^]*enc1:k1:/);
  });

  it('is a matter of those who have the key: a worker without it leaves the job to others', async () => {
    const servers = newServers();
    const client = await start(servers, { keys, activeKeyId: 'k1' }, { enabled: false });
    const stranger = await start(servers, { keys: { k2: keys.k2 }, activeKeyId: 'k2' }, { unroutableDelayMs: 50 });
    const { runId } = await client.client.start('broken');
    await expect(stranger.client.getContext(runId)).rejects.toMatchObject({ code: ErrorCode.EncryptionKeyUnknown });
    await until(() => stranger.logger.lines.some(({ message }) => message.startsWith('Put a job back')));
    await start(servers, { keys, activeKeyId: 'k1' });
    expect(await client.client.waitForWorkflow(runId)).toMatchObject({ status: 'failed' });
    expect(servers.broker.deadLetters).toEqual([]);
  });

  it('encrypts what a foreign client began, whose own row stays as it is', async () => {
    const servers = newServers();
    const flow = createFlow('one').node('a', async ({ context }: NodeContext) => ({ output: await context.get('x') }));
    const app = await startApp(
      { runtime: { blueprints: { flow } }, encryption: { keys, activeKeyId: 'k1' } },
      { servers },
    );
    running.push(app);
    servers.store.foreign.set('r1', { data: JSON.stringify({ x: SECRET }), stamp: 1 });
    servers.broker.append('r1', Buffer.from(JSON.stringify({ runId: 'r1', blueprintId: 'one', nodeId: 'a' })));
    await until(async () => (await app.client.getRun('r1').catch(() => undefined))?.status === 'completed');
    expect((await app.client.getContext('r1'))['a']).toBe(SECRET);
    expect(stored(servers)).not.toContain(SECRET);
  });
});
