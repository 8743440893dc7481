import { Logger, type Type } from '@nestjs/common';
import { jest } from '@jest/globals';
import type { NodeContext, NodeRegistry } from 'flowcraft';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import type { Drivers } from '../../../src/composition/embedded-drivers.js';
import { MemoryServers } from '../../../src/drivers/memory/memory-servers.js';
import { SystemClock } from '../../../src/drivers/system/system-clock.js';
import {
  ConnectError,
  FLOWCRAFT_CLOCK,
  FLOWCRAFT_DRIVERS,
  FlowcraftClient,
  FlowcraftHealth,
  FlowcraftKafkaModule,
  FlowcraftReconciler,
  FlowcraftWorker,
  IllegalStateError,
} from '../../../src/index.js';
import { EngineHost } from '../../../src/nest/engine-host.js';
import { blueprint } from '../../support/blueprints.js';
import { ManualClock } from '../../support/manual-clock.js';
import { builderOf, deferred, rootModule, startApp } from '../../support/nest-app.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const blueprints = { one: blueprint('one', 'a') };
const TWO = blueprint('two', 'b>c', { b: { uses: 'quick' }, c: { uses: 'quick' } });

function heldNode() {
  const begun = deferred();
  const release = deferred();
  const step = async ({ signal }: NodeContext) => {
    begun.resolve();
    await release.promise;
    return { output: signal?.aborted };
  };
  return { begun: begun.promise, release: () => release.resolve(), step };
}

/** Counts the timers that were made since and have neither fired nor been cleared. */
function liveTimers(): () => number {
  const made = [jest.spyOn(globalThis, 'setTimeout'), jest.spyOn(globalThis, 'setInterval')];
  return () => {
    const handles = made.flatMap(({ mock }) => mock.results.map(({ value }) => value as { _destroyed: boolean }));
    return handles.filter((handle) => !handle._destroyed).length;
  };
}

describe('the start', () => {
  it('fails clearly if the servers cannot be reached', async () => {
    // a port that nothing listens on
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    await once(probe, 'close');
    const root = rootModule([
      FlowcraftKafkaModule.forRoot({
        kafka: { brokers: [`127.0.0.1:${port}`] },
        cassandra: { contactPoints: ['127.0.0.1'], localDataCenter: 'x', protocolOptions: { port } },
        redis: `redis://127.0.0.1:${port}`,
        connectTimeoutMs: 300,
      }),
    ]);
    const error: unknown = await builderOf(root, new RecordingLogger())
      .compile()
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConnectError);
    for (const server of ['Kafka', 'Cassandra', 'Redis'])
      expect((error as Error).message).toMatch(
        new RegExp(`${server} could not be reached within 300 ms: .*ECONNREFUSED`),
      );
    expect((error as ConnectError).failures.map(({ server }) => server).sort()).toEqual([
      'Cassandra',
      'Kafka',
      'Redis',
    ]);
  });

  it('closes what it opened when the nodes of the application are refused', async () => {
    const timers = liveTimers();
    const feature = () => FlowcraftKafkaModule.forFeature({ nodes: { same: async () => ({}) } });
    await expect(startApp({}, { imports: [feature(), feature()] })).rejects.toThrow(/declared twice/);
    expect(timers()).toBe(0);
    jest.restoreAllMocks();
  });
});

describe.each(['onModuleInit', 'onApplicationBootstrap'])('when another provider fails in %s', (hook) => {
  it('close() closes what was opened', async () => {
    const timers = liveTimers();
    const failing = {
      [hook]: () => {
        throw new Error('my hook failed');
      },
    };
    const root = rootModule(
      [FlowcraftKafkaModule.forRoot({ embedded: true })],
      [{ provide: 'failing', useValue: failing }],
    );
    const app = await builderOf(root, new RecordingLogger()).compile();
    const close = jest.spyOn(app.get<Drivers>(FLOWCRAFT_DRIVERS), 'close');
    await expect(app.init()).rejects.toThrow('my hook failed');
    await app.close();
    expect([close.mock.calls.length, timers()]).toEqual([1, 0]);
    jest.restoreAllMocks();
  });
});

describe('the drain when the application closes', () => {
  it('waits for the nodes that execute', async () => {
    const { step, begun, release } = heldNode();
    const { app, client } = await startApp({ runtime: { blueprints, registry: { step } } });
    const worker = app.get(FlowcraftWorker);
    await client.start('one');
    await begun;
    expect(worker.running).toMatchObject([{ nodeId: 'a', turn: '1' }]);
    const closed = app.close();
    await new Promise((resolve) => setImmediate(resolve));
    const state = worker.state;
    release();
    await closed;
    expect([state, worker.state]).toEqual(['draining', 'drained']);
  });

  it('of a long node hands the other work of the worker over meanwhile', async () => {
    const clock = new SystemClock();
    const servers = new MemoryServers({ clock });
    const { step, begun, release } = heldNode();
    let executions = 0;
    const held = async (context: NodeContext) => {
      executions++;
      return step(context);
    };
    const start = async (registry: NodeRegistry) => {
      const options = { embedded: true, runtime: { blueprints: { ...blueprints, two: TWO }, registry } };
      const root = rootModule([FlowcraftKafkaModule.forRoot(options)]);
      const app = await builderOf(root, new RecordingLogger(), servers).compile();
      await app.init();
      return app;
    };
    const app = await start({ step: held, quick: async () => ({}) });
    const client = app.get(FlowcraftClient);
    const { runId } = await client.start('one');
    await begun;
    const other = await start({ step: held, quick: async () => ({ output: 'elsewhere' }) });
    const otherClient = other.get(FlowcraftClient);
    const closed = app.close();
    // of so many runs some lie in the partitions of the worker that drains
    const runs = await Promise.all(Array.from({ length: 20 }, () => otherClient.start('two')));
    const ends = runs.map((run) => otherClient.waitForWorkflow(run.runId, { timeoutMs: 5000 }));
    expect((await Promise.all(ends)).map(({ status }) => status)).toEqual(Array(20).fill('completed'));
    expect(app.get(FlowcraftWorker).state).toBe('draining');
    release();
    await closed;
    expect(await otherClient.waitForWorkflow(runId)).toMatchObject({ status: 'completed' });
    expect(executions).toBe(1);
    await other.close();
  });

  it('that takes too long is logged once with what did not end, and leaves the state failed', async () => {
    const { step, begun, release } = heldNode();
    const { app, client, logger } = await startApp({
      runtime: { blueprints, registry: { step } },
      worker: { drainTimeoutMs: 20 },
    });
    const { runId } = await client.start('one');
    await begun;
    await app.close();
    release();
    expect(app.get(FlowcraftWorker).state).toBe('failed');
    const errors = logger.lines.filter(({ level }) => level === 'error');
    expect(errors).toHaveLength(1);
    expect(errors[0]?.message).toMatch(/did not drain within 20 ms/);
    expect(errors[0]?.message).toContain(`a of run ${runId}`);
  });

  it('has nothing to do for a process without a worker', async () => {
    const { app, client } = await startApp({
      runtime: { blueprints, registry: { step: async () => ({}) } },
      worker: { enabled: false },
    });
    const { runId } = await client.start('one');
    expect(await client.waitForWorkflow(runId, { timeoutMs: 30 })).toMatchObject({ status: 'running', timedOut: true });
    await expect(app.get(FlowcraftWorker).start()).rejects.toThrow(/worker.enabled is false/);
    expect(app.get(FlowcraftHealth).check()).toMatchObject({ status: 'up', worker: { isEnabled: false } });
    await app.close();
  });
});

describe('an application with stand-ins of a test', () => {
  const step = async () => ({ output: 'done' });
  const stop = () => {
    throw new Error('The stand-in does not stop.');
  };

  async function start(token: Type, standIn: object) {
    const logger = new RecordingLogger();
    const root = rootModule([
      FlowcraftKafkaModule.forRoot({ embedded: true, runtime: { blueprints, registry: { step } } }),
    ]);
    const app = await builderOf(root, logger).overrideProvider(token).useValue(standIn).compile();
    await app.init();
    const engine = await app.get(EngineHost).ready();
    const close = jest.spyOn(app.get<Drivers>(FLOWCRAFT_DRIVERS), 'close');
    return { app, engine, logger, close };
  }

  it.each<[string, Type, object]>([
    ['a reconciler with run() only', FlowcraftReconciler, { run: async () => ({}) }],
    ['a reconciler that does not stop', FlowcraftReconciler, { run: stop, idle: stop }],
    ['a worker without any method', FlowcraftWorker, {}],
    ['a worker that does not drain', FlowcraftWorker, { isExpected: false, drain: stop }],
    ['a client without any method', FlowcraftClient, {}],
    ['a health without any method', FlowcraftHealth, {}],
  ])('closes wholly: %s', async (_name, token, standIn) => {
    const timers = liveTimers();
    const { app, engine, close } = await start(token, standIn);
    await app.close();
    expect([engine.worker.state, close.mock.calls.length, timers()]).toEqual(['drained', 1, 0]);
    jest.restoreAllMocks();
  });

  it('logs a step of the shutdown that fails, and makes the others', async () => {
    const { app, engine, logger, close } = await start(FlowcraftReconciler, { run: stop, idle: stop });
    await app.close();
    expect([engine.worker.state, close.mock.calls.length]).toEqual(['drained', 1]);
    expect(logger.lines.filter(({ level }) => level === 'error')).toMatchObject([
      {
        message: 'The schedule of the sweep did not end.',
        fields: { error: new Error('The stand-in does not stop.') },
      },
    ]);
  });
});

describe('FlowcraftWorker', () => {
  it('with autoStart false starts when it is told to', async () => {
    const { app, client, run } = await startApp({
      runtime: { blueprints, registry: { step: async () => ({}) } },
      worker: { autoStart: false },
    });
    const worker = app.get(FlowcraftWorker);
    const health = app.get(FlowcraftHealth);
    expect(worker.state).toBe('stopped');
    expect(health.check().status).toBe('up');
    const { runId } = await client.start('one');
    await worker.start();
    expect(await client.waitForWorkflow(runId)).toMatchObject({ status: 'completed' });
    await expect(worker.start()).rejects.toBeInstanceOf(IllegalStateError);
    expect((await run('one')).status).toBe('completed');
    await app.close();
  });
});

describe('FlowcraftHealth', () => {
  it('is up while the worker takes jobs, and down once it does not', async () => {
    const { app } = await startApp({});
    const health = app.get(FlowcraftHealth);
    expect(health.check()).toEqual({
      status: 'up',
      worker: { isEnabled: true, state: 'running', id: expect.any(String), running: 0 },
      consumer: 'consuming',
      consumerRestarts: 0,
      waitingForServers: 0,
    });
    await app.get(FlowcraftWorker).drain();
    expect(health.check()).toMatchObject({ status: 'down', worker: { state: 'drained' } });
    await app.close();
  });

  it('is down before the application has started', async () => {
    const app = await builderOf(
      rootModule([FlowcraftKafkaModule.forRoot({ embedded: true })]),
      new RecordingLogger(),
    ).compile();
    expect(app.get(FlowcraftHealth).check()).toMatchObject({ status: 'down', worker: { state: 'stopped' } });
    await app.close();
  });
});

describe('a closed application', () => {
  it('has left no timer behind', async () => {
    const clock = new ManualClock();
    const runtime = { blueprints, registry: { step: async () => ({}) } };
    const app = await builderOf(
      rootModule([FlowcraftKafkaModule.forRoot({ embedded: true, runtime })]),
      new RecordingLogger(),
    )
      .overrideProvider(FLOWCRAFT_CLOCK)
      .useValue(clock)
      .compile();
    await app.init();
    const client = app.get(FlowcraftClient);
    const ended = deferred();
    const { runId } = await client.start('one');
    void client.waitForWorkflow(runId).then(() => ended.resolve());
    await ended.promise;
    expect(clock.pending).toBeGreaterThan(0);
    await app.close();
    expect(clock.pending).toBe(0);
  });

  it('has left no timer of the process behind', async () => {
    const timers = liveTimers();
    const { app, run } = await startApp({
      runtime: { blueprints, registry: { step: async () => ({}) } },
      reconciler: { enabled: true },
    });
    await run('one');
    expect(timers()).toBeGreaterThan(0);
    await app.close();
    expect(timers()).toBe(0);
    jest.restoreAllMocks();
  });

  it('answers calls with an error that says so', async () => {
    const { app, client } = await startApp({});
    await app.close();
    await expect(client.getRun('x')).rejects.toThrow(/has closed/);
  });
});

describe('missing shutdown hooks', () => {
  async function warningsWith(listener: (() => void) | undefined): Promise<string[]> {
    const others = process.listeners('SIGTERM');
    process.removeAllListeners('SIGTERM');
    if (listener) process.on('SIGTERM', listener);
    const clock = new ManualClock();
    const logger = new RecordingLogger();
    const app = await builderOf(rootModule([FlowcraftKafkaModule.forRoot({ embedded: true })]), logger)
      .overrideProvider(FLOWCRAFT_CLOCK)
      .useValue(clock)
      .compile();
    await app.init();
    clock.advance(10_000);
    await app.close();
    process.removeAllListeners('SIGTERM');
    for (const other of others) process.on('SIGTERM', other);
    return logger.lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
  }

  it('are warned of while nothing handles SIGTERM', async () => {
    expect(await warningsWith(undefined)).toEqual([expect.stringContaining('app.enableShutdownHooks()')]);
    expect(await warningsWith(() => undefined)).toEqual([]);
  });
});

it("logs through the application's logger by default", async () => {
  const log = jest.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined);
  const app = await (
    await import('@nestjs/testing')
  ).Test.createTestingModule({
    imports: [FlowcraftKafkaModule.forRoot({ embedded: true, reconciler: { enabled: false } })],
  }).compile();
  await app.init();
  await app.close();
  expect(log.mock.calls.map(([message]) => String(message))).toContainEqual(
    expect.stringMatching(/^Worker .* takes jobs\.$/),
  );
  log.mockRestore();
});
