import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { inspect } from 'node:util';
import { createFlow } from 'flowcraft';
import { ErrorCode } from '../../../src/index.js';
import { MemoryServers } from '../../../src/drivers/memory/memory-servers.js';
import { SystemClock } from '../../../src/drivers/system/system-clock.js';
import { until } from '../../support/redis-lab.js';
import { startApp, type TestApp } from '../../support/nest-app.js';

let running: TestApp | undefined;
const start = async (...args: Parameters<typeof startApp>) => (running = await startApp(...args));
afterEach(async () => {
  await running?.app.close();
  running = undefined;
  jest.restoreAllMocks();
});

const LIMITS = { maxValueBytes: 1000, maxContextBytes: 3000, maxValueDepth: 20, maxFanOut: 5, maxBlueprintNodes: 10 };

/** A value of so many levels. */
function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = i % 2 === 0 ? { a: value } : [value];
  return value;
}

/** What becomes of a run whose only node does this. */
async function outcomeOf(node: (context: { set(key: string, value: unknown): Promise<unknown> }) => Promise<unknown>) {
  const flow = createFlow('flow').node('a', async ({ context }) => (await node(context as never)) as never);
  const { run } = await start({ limits: LIMITS, runtime: { blueprints: { flow } } });
  return run('flow');
}

const failure = (code: string) => ({
  status: 'failed',
  errors: [expect.objectContaining({ nodeId: 'a', cause: expect.objectContaining({ name: code }) })],
});

describe('start', () => {
  const flow = createFlow('flow').node('a', async () => ({ output: 1 }));

  it.each([
    ['a value that is too large', { a: 'x'.repeat(1001) }, ErrorCode.ValueTooLarge],
    [
      'values that together are',
      { a: 'x'.repeat(900), b: 'x'.repeat(900), c: 'x'.repeat(900), d: 'x'.repeat(900) },
      ErrorCode.ContextTooLarge,
    ],
    ['keys that are', { ['x'.repeat(3001)]: 1 }, ErrorCode.ContextTooLarge],
    ['a value that is nested too deeply', { a: nested(21) }, ErrorCode.ValueTooDeep],
    ['a value that would overflow the stack', { a: nested(20_000) }, ErrorCode.ValueTooDeep],
    ['a key of the engine', { '\u0001override.a': true }, ErrorCode.ContextKeyRefused],
  ])('refuses %s, and writes nothing', async (_name, context, code) => {
    jest.spyOn(console, 'warn').mockReturnValue(undefined); // flowcraft's serializer takes any error for a cycle
    const { client } = await start({ limits: LIMITS, runtime: { blueprints: { flow } } });
    await expect(client.start('flow', context, { runId: 'r1' })).rejects.toMatchObject({ code });
    await expect(client.getRun('r1')).rejects.toMatchObject({ code: ErrorCode.RunNotFound });
  });

  it('takes what lies within the limits', async () => {
    const { run } = await start({ limits: LIMITS, runtime: { blueprints: { flow } } });
    expect(await run('flow', { a: nested(20), b: 'x'.repeat(900) })).toMatchObject({ status: 'completed' });
  });
});

describe('a node fails with a coded error that', () => {
  it('returns a value nested too deeply', async () => {
    jest.spyOn(console, 'warn').mockReturnValue(undefined);
    expect(await outcomeOf(async () => ({ output: nested(20_000) }))).toMatchObject(failure('ValueTooDeepError'));
  });

  it('writes more at once than may be', async () => {
    const outcome = outcomeOf(async (context) => {
      for (const key of ['k', 'l', 'm', 'n']) await context.set(key, 'x'.repeat(900));
      return { output: 1 };
    });
    expect(await outcome).toMatchObject(failure('ContextTooLargeError'));
  });

  it('returns more dynamic nodes than may be', async () => {
    const dynamicNodes = Array.from({ length: 6 }, (_, i) => ({ id: `d${i}`, uses: 'a' }));
    expect(await outcomeOf(async () => ({ output: 1, dynamicNodes }))).toMatchObject(failure('FanOutTooLargeError'));
  });

  it.each([
    ['without an id', [{ uses: 'a' }]],
    ['without uses', [{ id: 'd' }]],
    ['with control characters in its id', [{ id: 'd\u001f1', uses: 'a' }]],
    ['with half of a character in its id', [{ id: 'd\ud800', uses: 'a' }]],
    ['with an id that no job can hold', [{ id: 'd'.repeat(513), uses: 'a' }]],
    ['that is nothing', [null]],
    ['with params that are no JSON', [{ id: 'd', uses: 'a', params: { big: 1n } }]],
    ['in no list', { id: 'd', uses: 'a' }],
  ])('returns a dynamic node %s', async (_name, dynamicNodes) => {
    expect(await outcomeOf(async () => ({ output: 1, dynamicNodes }))).toMatchObject(
      failure('DynamicNodeInvalidError'),
    );
  });
});

describe('a blueprint is refused by name', () => {
  const many = { id: 'many', nodes: Array.from({ length: 11 }, (_, i) => ({ id: `n${i}`, uses: 'a' })), edges: [] };
  const deep = { id: 'deep', nodes: [{ id: 'a', uses: 'a', params: { deep: nested(20_000) } }], edges: [] };

  it.each([
    ['that has too many nodes', many, /11 nodes, more than limits.maxBlueprintNodes \(10\)/],
    ['whose params are nested too deeply', deep, /no JSON data/],
  ])('%s', async (_name, blueprint, message) => {
    const registry = { a: async () => ({ output: 1 }) };
    const { client } = await start({ limits: LIMITS, runtime: { blueprints: { b: blueprint as never }, registry } });
    const refused = { code: ErrorCode.BlueprintInvalid, message: expect.stringMatching(message) };
    await expect(client.start(blueprint.id)).rejects.toMatchObject(refused);
  });
});

describe("a foreign client's initial context that", () => {
  const flow = createFlow('flow').node('a', async () => ({ output: 1 }));

  it.each([
    ['is no JSON', '{"secret": "4711', 'is no JSON'],
    ['is no object', '[1]', 'is no JSON object'],
    ['holds a key that is refused', '{"__proto__": {"polluted": 1}}', '__proto__'],
    ['is nested too deeply', `{"a": ${'['.repeat(20_000)}${']'.repeat(20_000)}}`, 'nested deeper'],
    ['is too large', JSON.stringify(Object.fromEntries([...'abcd'].map((k) => [k, 'x'.repeat(900)]))), 'bytes'],
  ])('%s makes its job a dead letter at once, and is not quoted', async (_name, data, reason) => {
    jest.spyOn(console, 'warn').mockReturnValue(undefined);
    const servers = new MemoryServers({ clock: new SystemClock() });
    servers.store.foreign.set('r1', { data, stamp: 1 });
    const { logger } = await start({ limits: LIMITS, runtime: { blueprints: { flow } } }, { servers });
    const job = JSON.stringify({ runId: 'r1', blueprintId: 'flow', nodeId: 'a' });
    servers.broker.append('r1', Buffer.from(job));
    await until(() => servers.broker.deadLetters.length > 0);
    const [dead] = servers.broker.deadLetters;
    expect(dead).toMatchObject({ reason: { code: ErrorCode.ForeignContextInvalid } });
    expect(dead?.reason.message).toContain(reason);
    expect(inspect([dead?.reason, logger.lines], { depth: 9 })).not.toContain('4711');
  });
});
