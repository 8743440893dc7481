import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ArgumentInvalidError, FlowcraftKafkaError, RunIdInvalidError, RunNotFoundError } from '../../../src/index.js';
import { blueprint } from '../../support/blueprints.js';
import { startApp, type TestApp } from '../../support/nest-app.js';

/** What a caller in JavaScript may hand in. */
type Loose = Record<string, (...args: unknown[]) => Promise<unknown>>;

describe('arguments of the client', () => {
  let it_: TestApp;
  let client: Loose;

  beforeAll(async () => {
    it_ = await startApp({
      runtime: {
        blueprints: { one: blueprint('one', 'a'), waits: blueprint('waits', 'w', { w: { uses: 'wait' } }) },
        registry: { step: async () => ({}) },
      },
    });
    client = it_.client as unknown as Loose;
  });
  afterAll(() => it_.app.close());

  const call = async (name: string, ...args: unknown[]): Promise<unknown> =>
    client[name]?.(...args).then(
      () => 'accepted',
      (error: unknown) => error,
    );

  it.each<[string, unknown[], string]>([
    ['start', [undefined], 'blueprintId'],
    ['start', [''], 'blueprintId'],
    ['start', ['one', null], 'initialContext'],
    ['start', ['one', [1]], 'initialContext'],
    ['start', ['one', 'text'], 'initialContext'],
    ['start', ['one', new Map([['a', 1]])], 'initialContext'],
    ['start', ['one', {}, null], 'options'],
    ['start', ['one', {}, { tags: 'urgent' }], 'options.tags'],
    ['start', ['one', {}, { tags: ['a', 1] }], 'options.tags.1'],
    ['start', ['one', {}, { tags: [''] }], 'options.tags.0'],
    ['start', ['one', {}, { version: 2 }], 'options.version'],
    ['start', ['one', {}, { runId: 7 }], 'options.runId'],
    ['start', ['one', {}, { strict: 'yes' }], 'options.strict'],
    ['start', ['one', {}, { tag: ['urgent'] }], 'tag'],
    ['waitForWorkflow', ['r', { timeoutMs: -1 }], 'timeoutMs'],
    ['waitForWorkflow', ['r', { timeoutMs: '5s' }], 'timeoutMs'],
    ['waitForWorkflow', ['r', { timeoutMs: Number.NaN }], 'timeoutMs'],
    ['waitForWorkflow', ['r', { until: 'done' }], 'until'],
    ['waitForWorkflow', ['r', { signal: true }], 'signal'],
    ['listRuns', [{ limit: 0 }], 'limit'],
    ['listRuns', [{ limit: -5 }], 'limit'],
    ['listRuns', [{ limit: 1.5 }], 'limit'],
    ['listRuns', [{ limit: 100_000 }], 'limit'],
    ['listRuns', [{ limit: '10' }], 'limit'],
    ['listRuns', [{ cursor: 'nonsense' }], 'cursor'],
    ['listRuns', [{ cursor: '{"a":1}' }], 'cursor'],
    ['listRuns', [{ cursor: '["x","r"]' }], 'cursor'],
    ['listRuns', [{ cursor: 3 }], 'cursor'],
    ['listRuns', [{ from: '2026-01-01' }], 'from'],
    ['listRuns', [{ to: new Date('no date') }], 'to'],
    ['listRuns', [{ from: new Date(2000), to: new Date(1000) }], 'from'],
    ['listRuns', [{ status: 'done' }], 'status'],
    ['listRuns', [{ tag: ['a'] }], 'tag'],
    ['listRuns', [null], 'options'],
    ['resume', ['r', null], 'options'],
    ['resume', ['r', { nodeId: 1 }], 'nodeId'],
    ['resume', ['r', { action: {} }], 'action'],
    ['resume', ['r', { node: 'a' }], 'node'],
    ['cancel', ['r', 5], 'reason'],
  ])('%s(%j) is refused and names %s', async (name, args, path) => {
    const error = await call(name, ...args);
    expect(error).toBeInstanceOf(ArgumentInvalidError);
    const { code, problems, message } = error as ArgumentInvalidError;
    expect(code).toBe('FLOW_ARGUMENT_INVALID');
    expect(problems.map((problem) => problem.path)).toContain(path);
    expect(message).toContain(`${name}()`);
  });

  it('are all named, not only the first', async () => {
    const error = await call('start', '', {}, { tags: 1, version: 2 });
    expect((error as ArgumentInvalidError).problems.map(({ path }) => path)).toEqual([
      'blueprintId',
      'options.version',
      'options.tags',
    ]);
  });

  it.each(['waitForWorkflow', 'getRun', 'getContext', 'resume', 'cancel'])(
    '%s refuses what is no run id, and an id that nobody has started',
    async (name) => {
      for (const id of [undefined, null, 5, {}, '', 'with space', 'x'.repeat(129)])
        expect(await call(name, id)).toBeInstanceOf(RunIdInvalidError);
      expect(await call(name, 'nobody')).toBeInstanceOf(RunNotFoundError);
    },
  );

  it('events() refuses what is no run id, and an id that nobody has started', async () => {
    const first = (id: string) => it_.client.events(id).next();
    await expect(first('with space')).rejects.toBeInstanceOf(RunIdInvalidError);
    await expect(first('nobody')).rejects.toBeInstanceOf(RunNotFoundError);
  });

  it('that are refused start nothing', async () => {
    await call('start', 'one', {}, { runId: 'refused', tags: 'urgent' });
    await call('start', 'one', [1], { runId: 'refused' });
    expect(await call('getRun', 'refused')).toBeInstanceOf(RunNotFoundError);
    expect((await it_.client.listRuns()).runs).toEqual([]);
  });

  const refusing = (words: string): never => {
    throw new Error(words);
  };
  const getter = () => Object.defineProperty({}, 'x', { enumerable: true, get: () => refusing('shut') });
  const notSerializable = (words: string) =>
    expect.objectContaining({
      code: 'FLOW_VALUE_NOT_SERIALIZABLE',
      message: expect.stringContaining(words) as unknown,
    }) as unknown;

  it('that cannot be read are refused with the key', async () => {
    const warnings = jest.spyOn(console, 'warn').mockReturnValue(undefined); // of flowcraft's serializer
    const { runId } = await it_.client.start('waits');
    await it_.client.waitForWorkflow(runId, { until: 'settled' });
    const proxy = new Proxy({}, { ownKeys: () => refusing('shut') });
    const told = new Proxy({ x: 1 }, { get: () => refusing('shut') });
    expect(await call('start', 'one', getter())).toEqual(
      notSerializable("initial context cannot be serialized: its 'x' can't be read (shut)"),
    );
    expect(await call('start', 'one', told)).toEqual(
      notSerializable("initial context cannot be serialized: its 'x' can't be read (shut)"),
    );
    expect(await call('start', 'one', { a: getter() })).toEqual(
      notSerializable("value 'a' cannot be serialized: its 'x' can't be read (shut)"),
    );
    expect(await call('start', 'one', proxy)).toEqual(
      notSerializable("initial context cannot be serialized: it can't be read (shut)"),
    );
    expect(await call('resume', runId, { output: getter() })).toEqual(
      notSerializable("node 'w' cannot be serialized: its 'x' can't be read (shut)"),
    );
    const options = Object.defineProperty({}, 'output', { enumerable: true, get: () => refusing('shut') });
    expect(await call('resume', runId, options)).toBeInstanceOf(ArgumentInvalidError);
    await it_.client.cancel(runId);
    expect(await call('retry', runId, { contextPatch: getter() })).toEqual(
      notSerializable("contextPatch cannot be serialized: its 'x' can't be read (shut)"),
    );
    expect(await call('retry', runId, { contextPatch: { a: getter() } })).toEqual(
      notSerializable("'a' of contextPatch cannot be serialized: its 'x' can't be read (shut)"),
    );
    warnings.mockRestore();
  });

  it('name a node that does not wait: the error says what to do', async () => {
    const { runId } = await it_.client.start('waits', {});
    const early = await call('resume', runId, { nodeId: 'x' });
    expect(early).toMatchObject({ code: 'FLOW_NODE_NOT_AWAITING' });
    expect((early as Error).message).toContain(`wait for it with waitForWorkflow('${runId}', { until: 'settled' })`);
    const { runId: delayed } = await it_.client.start('waits', {}, { delayMs: 60_000 });
    const { awaiting } = await it_.client.getRun(delayed);
    expect(((await call('resume', delayed, { nodeId: 'w' })) as Error).message).toBe(
      `No node of run '${delayed}' awaits an answer yet: the run begins at ${awaiting[0]?.wakeUpAt}, by itself. Until then it can only be cancelled; answer its nodes when they wait.`,
    );
    await it_.client.cancel(runId);
    const late = await call('resume', runId, {});
    expect((late as Error).message).toBe(
      `No node of run '${runId}' is awaiting. The run has ended with status 'cancelled'.`,
    );
  });

  it('of the right type are taken, instances of classes among them', async () => {
    class Order {
      total = 3;
    }
    const started = await it_.client.start('one', new Order(), { tags: ['a'], runId: 'order-1' });
    expect(await it_.client.waitForWorkflow(started.runId, { timeoutMs: Infinity })).toMatchObject({
      status: 'completed',
      result: { context: { total: 3 } },
    });
    const page = await it_.client.listRuns({ limit: 1, from: new Date(0), to: new Date(Date.now() + 1000), tag: 'a' });
    expect(page.runs.map(({ runId }) => runId)).toEqual(['order-1']);
    await expect(it_.client.cancel('order-1')).rejects.toBeInstanceOf(FlowcraftKafkaError);
  });

  it('may be a context that is typed by an interface, or an instance of a class', async () => {
    interface Order {
      readonly amount: number;
    }
    class Held {
      constructor(readonly amount: number) {}
    }
    const order: Order = { amount: 7 };
    for (const context of [order, new Held(7)]) {
      const { runId } = await it_.client.start('one', context);
      await it_.client.waitForWorkflow(runId);
      expect(await it_.client.getContext(runId)).toMatchObject({ amount: 7 });
    }
  });
});
