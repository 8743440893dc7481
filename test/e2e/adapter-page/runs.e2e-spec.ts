import { randomUUID } from 'node:crypto';
import { UnsafeEvaluator, type ISerializer, type RuntimeOptions, type WorkflowBlueprint } from 'flowcraft';
import type { KafkaAdapter } from '../../../src/adapter/kafka-adapter.js';
import { createKafkaReconciler } from '../../../src/adapter/kafka-reconciler.js';
import { IllegalStateError, NodeNotAwaitingError, RunNotFoundError } from '../../../src/core/errors.js';
import { AdapterFixture } from '../../support/adapter-fixture.js';
import { eventually, Gate } from '../../support/kafka-fixture.js';
import { executions, flow, registry } from './behaviours.js';

const MINUTE_MS = 60_000;

/** Opened by tests: nodes of type 'gate' wait for the gate of their run. */
const gates = new Map<string, Gate>();
const gated = { ...registry };
gated['gate'] = async ({ context, params }) => {
  executions.set(String(params['count']), (executions.get(String(params['count'])) ?? 0) + 1);
  await gates.get(String(await context.get('gate')))?.opened;
  return { output: 'passed' };
};
gated['abortable'] = async ({ signal }) => {
  await new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
  return {};
};

const linear = flow(
  'linear',
  [
    ['a', 'value', { value: 1 }],
    ['b', 'see'],
  ],
  'a>b',
);
const twice = flow(
  'inputs-transform',
  [
    ['s', 'value', { value: 's' }],
    ['x', 'value', { value: 'x' }],
    ['t', 'see', {}, { inputs: 's' }],
  ],
  's>x',
  [{ source: 'x', target: 't', transform: '"from " + input' }],
);
const join = flow(
  'redelivered',
  [
    ['b1', 'value', { value: 1 }],
    ['b2', 'gate'],
    ['j', 'value', { value: 'joined' }],
  ],
  'b1>j b2>j',
);
const wait = flow(
  'wait',
  [
    ['a', 'value', { value: 1 }],
    ['w', 'wait'],
    ['z', 'see'],
  ],
  'a>w w>z',
);
const choice = flow(
  'wait-action',
  [
    ['w', 'wait'],
    ['yes', 'see'],
    ['no', 'see'],
  ],
  'w>yes:approve w>no:reject',
);
const innerWait = flow(
  'inner-wait',
  [
    ['q', 'wait'],
    ['r', 'see'],
  ],
  'q>r',
);
const subflowWait = flow(
  'subflow-wait',
  [
    ['sub', 'subflow', { blueprintId: 'inner-wait', outputs: { answer: 'r' } }],
    ['z', 'see', {}, { inputs: 'answer' }],
  ],
  'sub>z',
);
const fatalAny = flow(
  'fatal-any-join',
  [
    ['a', 'fatal'],
    ['b', 'gate'],
    ['j', 'see', {}, { config: { joinStrategy: 'any' } }],
  ],
  'a>j b>j',
);
const cancelled = flow(
  'cancel',
  [
    ['a', 'abortable'],
    ['b', 'see'],
  ],
  'a>b',
);
const wide = flow(
  'wide',
  [...Array.from({ length: 5 }, (_, i) => [`p${i}`, 'slow', { ms: 20 }] as const), ['j', 'value', { value: 'all' }]],
  Array.from({ length: 5 }, (_, i) => `p${i}>j`).join(' '),
);
const hook = flow('webhook', [], '');
hook.nodes.push({ id: 'h', uses: 'webhook' });

const blueprints = Object.fromEntries(
  [linear, twice, join, wait, choice, innerWait, subflowWait, fatalAny, cancelled, wide, hook].map((b) => [b.id, b]),
);
const options: RuntimeOptions = { registry: gated, blueprints, evaluator: new UnsafeEvaluator() };

describe('an adapter', () => {
  let servers: AdapterFixture;
  let adapter: KafkaAdapter;

  const countOf = (blueprint: WorkflowBlueprint, node: string) => executions.get(`${blueprint.id}/${node}`) ?? 0;
  const job = (runId: string, blueprint: WorkflowBlueprint, nodeId: string) =>
    JSON.stringify({ runId, blueprintId: blueprint.id, nodeId });
  /** None before a worker has adopted the run. */
  const nodesOf = (runId: string) =>
    adapter.use(async ({ engine }) =>
      (await engine.runs.find(runId)) ? (await engine.client.describe(runId)).nodes : [],
    );

  beforeAll(async () => {
    servers = await AdapterFixture.open();
    adapter = await servers.startedAdapter(options);
  }, MINUTE_MS);

  beforeEach(() => executions.clear());

  afterEach(() => {
    for (const gate of gates.values()) gate.open();
  });

  afterAll(() => servers.close(), MINUTE_MS);

  test('gives a second run the blueprint as it was, whatever a transform did in the first', async () => {
    for (let i = 0; i < 2; i++) {
      const { result } = await servers.outcome(await servers.submit(twice));
      expect(result?.context['t']).toBe('saw "from s"');
    }
  });

  test('does not count a job that is delivered again before a join as another arrival', async () => {
    const gate = randomUUID();
    gates.set(gate, new Gate());
    const runId = await servers.submit(join, { gate });
    await eventually(async () => (await nodesOf(runId)).some((n) => n.nodeId === 'b1' && n.status === 'completed'));
    await servers.send(runId, job(runId, join, 'b1'), job(runId, join, 'b1'), job(runId, join, 'b2'));
    await servers.outcome(await servers.submit(linear)); // four partitions, so also that one has probably moved on
    expect(countOf(join, 'j')).toBe(0);
    gates.get(gate)?.open();
    expect((await servers.outcome(runId)).status).toBe('completed');
    expect([countOf(join, 'b1'), countOf(join, 'b2'), countOf(join, 'j')]).toEqual([1, 1, 1]);
  });

  test('goes on after messages that are no jobs, and parks them', async () => {
    const runId = randomUUID();
    await servers.write(runId, {});
    await servers.send(runId, 'no json', '{"runId":1}', 'null', job(runId, linear, 'a'));
    expect((await servers.outcome(runId)).status).toBe('completed');
    const parked = servers.log.lines.filter(({ message }) => message.startsWith('Parked a message'));
    expect(parked.length).toBeGreaterThanOrEqual(3);
  });

  test('waits for an answer, and goes on with it', async () => {
    const runId = await servers.submit(wait);
    expect((await servers.outcome(runId)).status).toBe('awaiting');
    await expect(adapter.resumeWithAction(runId, 'a')).rejects.toThrow(NodeNotAwaitingError);
    await adapter.resumeWithAction(runId, 'w', { output: { approved: true } });
    const row = await servers.outcome(runId, { from: 'awaiting' }).then(() => servers.outcome(runId));
    expect(row).toMatchObject({ status: 'completed', result: { context: { z: 'saw {"approved":true}' } } });
  });

  test('takes only the branch of the action with which a wait is answered', async () => {
    const runId = await servers.submit(choice);
    await servers.outcome(runId);
    await adapter.resumeWithAction(runId, 'w', { action: 'approve', output: 'R' });
    await eventually(async () => (await servers.row(runId))?.status === 'completed');
    expect([countOf(choice, 'yes'), countOf(choice, 'no')]).toEqual([1, 0]);
  });

  test('waits within a subflow', async () => {
    const runId = await servers.submit(subflowWait);
    expect((await servers.outcome(runId)).status).toBe('awaiting');
    await adapter.resumeWithAction(runId, 'sub', { output: 'R' });
    await eventually(async () => (await servers.row(runId))?.status === 'completed');
    expect((await servers.row(runId))?.result?.context).toMatchObject({ answer: 'saw "R"', z: 'saw "saw \\"R\\""' });
  });

  test('leaves a failed run failed, whatever arrives at an any join later', async () => {
    const gate = randomUUID();
    gates.set(gate, new Gate());
    const runId = await servers.submit(fatalAny, { gate });
    await eventually(async () => (await nodesOf(runId)).some((n) => n.nodeId === 'a' && n.status === 'failed'));
    gates.get(gate)?.open();
    expect(await servers.outcome(runId)).toMatchObject({ status: 'failed' });
    await servers.outcome(await servers.submit(linear));
    expect((await servers.row(runId))?.status).toBe('failed');
  });

  test('cancels a run whose node is at work', async () => {
    const runId = await servers.submit(cancelled);
    await eventually(() => adapter.use(async ({ engine }) => engine.worker.running.some((n) => n.runId === runId)));
    await adapter.use(({ engine }) => engine.client.cancel(runId, 'no longer wanted'));
    expect(await servers.outcome(runId)).toMatchObject({ status: 'cancelled', reason: 'no longer wanted' });
    await eventually(() => adapter.use(async ({ engine }) => engine.worker.running.every((n) => n.runId !== runId)));
    expect((await servers.row(runId))?.status).toBe('cancelled');
  });

  test('gives URLs for a webhook node, which waits for the call', async () => {
    const runId = await servers.submit(hook);
    expect(await servers.outcome(runId)).toMatchObject({ status: 'awaiting' });
    await expect(adapter.registerWebhookEndpoint(runId, 'h')).rejects.toThrow('webhooks.baseUrl');
    const other = servers.adapter(options, { webhooks: { baseUrl: 'https://hooks.example.com' } });
    const { url, event } = await other.registerWebhookEndpoint(runId, 'h');
    expect(url).toMatch(/^https:\/\/hooks\.example\.com\/flowcraft\/webhooks\/[A-Za-z0-9_-]{43}$/);
    expect(event).toBe('webhook:h');
    const token = url.slice(url.lastIndexOf('/') + 1);
    expect(await adapter.use(({ engine }) => engine.receive(token, { called: true }))).toBe(true);
    const row = await servers.outcome(runId, { from: 'awaiting' });
    expect(row).toMatchObject({ status: 'completed', result: { context: { h: { called: true } } } });
    expect(await adapter.use(({ engine }) => engine.receive(token, { called: true }))).toBe(false);
  });

  test('keeps all keys of two writers of one context', async () => {
    const runId = await servers.submit(linear);
    await servers.outcome(runId);
    const [one, other] = [adapter.createContext(runId), adapter.createContext(runId)];
    await Promise.all(Array.from({ length: 20 }, (_, i) => [one.set(`one${i}`, i), other.set(`other${i}`, i)]).flat());
    const keys = Object.keys(await one.toJSON()).filter((key) => /^(one|other)\d/.test(key));
    expect(keys).toHaveLength(40);
  });

  test('processes a job that it is handed', async () => {
    const runId = randomUUID();
    await servers.write(runId, {});
    await adapter.handleJob({ runId, blueprintId: 'linear', nodeId: 'a' });
    expect((await nodesOf(runId)).find((n) => n.nodeId === 'a')).toMatchObject({ status: 'completed' });
    expect((await servers.outcome(runId)).status).toBe('completed');
  });

  test(
    'executes runs once each while a second worker joins',
    async () => {
      const runs = await Promise.all(Array.from({ length: 30 }, () => servers.submit(wide)));
      const second = await servers.startedAdapter(options);
      runs.push(...(await Promise.all(Array.from({ length: 30 }, () => servers.submit(wide)))));
      const rows = await Promise.all(runs.map((runId) => servers.outcome(runId)));
      expect(new Set(rows.map((row) => row.status))).toEqual(new Set(['completed']));
      expect([countOf(wide, 'p0'), countOf(wide, 'p4'), countOf(wide, 'j')]).toEqual([60, 60, 60]);
      await second.stop();
    },
    MINUTE_MS,
  );

  describe('that reconciles', () => {
    test('sends the start of a run again that no worker has seen, and answers its nodes', async () => {
      const runId = randomUUID();
      await servers.write(runId, { blueprintId: 'wide' });
      expect([...(await adapter.reconcile(runId))].sort()).toEqual(['p0', 'p1', 'p2', 'p3', 'p4']);
      expect((await servers.outcome(runId)).status).toBe('completed');
      expect(await adapter.reconcile(runId)).toEqual(new Set());
      await expect(adapter.reconcile(randomUUID())).rejects.toThrow(RunNotFoundError);
    });

    test('counts runs that it cannot place as failed, and leaves young ones alone', async () => {
      const { cassandra: cassandraClient, keyspace } = servers;
      const old = new Date(Date.now() - 5 * MINUTE_MS);
      const [lost, unknown, unplaced, young] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
      await servers.write(lost, { blueprintId: 'linear' }, old);
      await servers.write(unknown, { blueprintId: 'nobody-knows' }, old);
      await servers.write(unplaced, {}, old);
      await servers.write(young, { blueprintId: 'linear' });
      const reconciler = createKafkaReconciler({
        adapter,
        cassandraClient,
        keyspace,
        statusTableName: 'statuses',
        stalledThresholdSeconds: 120,
      });
      expect(await reconciler.run()).toEqual({ stalledRuns: 3, reconciledRuns: 1, failedRuns: 2 });
      expect((await servers.outcome(lost)).status).toBe('completed');
      expect((await servers.row(young))?.status).toBe('running');
      expect(await reconciler.run()).toEqual({ stalledRuns: 2, reconciledRuns: 0, failedRuns: 2 });
    });
  });
});

describe('workers that differ', () => {
  let servers: AdapterFixture;

  beforeEach(async () => {
    servers = await AdapterFixture.open();
  }, MINUTE_MS);

  afterEach(() => servers.close(), MINUTE_MS);

  test(
    'a job that was sent before the group existed is not lost',
    async () => {
      const first = servers.adapter(options);
      await first.use(async () => {}); // creates topic and tables, and joins no group
      const runId = await servers.submit(linear);
      first.start();
      expect((await servers.outcome(runId)).status).toBe('completed');
    },
    MINUTE_MS,
  );

  test(
    'a worker without the blueprint leaves the job to the one that has it',
    async () => {
      const worker = { unroutableDelayMs: 100 };
      await Promise.all([
        servers.startedAdapter({ ...options, blueprints: { wait } }, { worker }),
        servers.startedAdapter(options, { worker }),
      ]);
      const runs = await Promise.all(Array.from({ length: 20 }, () => servers.submit(linear)));
      const rows = await Promise.all(runs.map((runId) => servers.outcome(runId)));
      expect(new Set(rows.map((row) => row.status))).toEqual(new Set(['completed']));
    },
    MINUTE_MS,
  );

  test(
    'a job of a blueprint that nobody has is parked after its grace, and its run is not failed',
    async () => {
      await servers.startedAdapter(options, { worker: { unroutableDelayMs: 100, unroutableGraceMs: 500 } });
      const runId = await servers.submit(flow('unknown', [['a', 'value']], ''));
      await eventually(() =>
        servers.log.lines.some((l) => l.message.startsWith('Parked a job') && l.fields?.runId === runId),
      );
      expect((await servers.row(runId))?.status).toBe('running');
    },
    MINUTE_MS,
  );

  test(
    'a serializer of the user carries types from node to node',
    async () => {
      const dates = flow(
        'dates',
        [
          ['a', 'date'],
          ['b', 'seeDate'],
        ],
        'a>b',
      );
      await servers.startedAdapter({ registry, blueprints: { dates }, serializer: typed });
      const { result } = await servers.outcome(await servers.submit(dates));
      expect(result?.context['b']).toBe(86_400_000);
    },
    MINUTE_MS,
  );

  test(
    'a blueprint is found by its key in the options, if that is not its id',
    async () => {
      await servers.startedAdapter({ registry, blueprints: { '400': linear } });
      const runs = await Promise.all([servers.submit({ ...linear, id: '400' }), servers.submit(linear)]);
      for (const runId of runs) expect((await servers.outcome(runId)).status).toBe('completed');
    },
    MINUTE_MS,
  );

  test(
    'an adapter can be stopped and started again, and stopped before it is ready',
    async () => {
      const adapter = await servers.startedAdapter(options);
      await adapter.stop();
      const runId = await servers.submit(linear);
      adapter.start();
      expect((await servers.outcome(runId)).status).toBe('completed');
      await adapter.stop();
      adapter.start();
      const ready = adapter.ready();
      const refused = expect(ready).rejects.toThrow(IllegalStateError);
      await adapter.stop();
      await refused;
      await expect(adapter.ready()).rejects.toThrow(IllegalStateError);
    },
    MINUTE_MS,
  );

  test(
    'an adapter that was only used lets go of its connections',
    async () => {
      const adapter = servers.adapter(options);
      await adapter.use(async () => {});
      const open = servers.log.lines.length;
      await adapter.stop();
      const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
      const before = sockets();
      await adapter.use(async () => {});
      expect(sockets()).toBeGreaterThan(before);
      await eventually(() => sockets() <= before, 5000);
      expect(open).toBeGreaterThan(0);
    },
    MINUTE_MS,
  );
});

/** Keeps dates. */
const typed: ISerializer = {
  serialize: (data) =>
    JSON.stringify(data, function (this: Record<string, unknown>, key, value: unknown) {
      return this[key] instanceof Date ? { $date: this[key].getTime() } : value;
    }),
  deserialize: (text) =>
    JSON.parse(text, (_key, value: unknown) =>
      typeof value === 'object' && value !== null && '$date' in value ? new Date(Number(value.$date)) : value,
    ),
};
