import type { NodeRegistry, WorkflowBlueprint } from 'flowcraft';
import { DEFAULT_OPTIONS } from '../../../src/composition/default-options.js';
import { MemoryServers } from '../../../src/drivers/memory/memory-servers.js';
import { SystemIds } from '../../../src/drivers/system/system-ids.js';
import { Engine } from '../../../src/engine/engine.js';
import { MortalClock } from '../../support/mortal-clock.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const registry: NodeRegistry = { step: async () => ({ output: 1 }) };
const plain: WorkflowBlueprint = { id: 'plain', nodes: [{ id: 'a', uses: 'step' }], edges: [] };
const waits: WorkflowBlueprint = { id: 'waits', nodes: [{ id: 'w', uses: 'wait' }], edges: [] };
const calls: WorkflowBlueprint = {
  id: 'calls',
  nodes: [
    { id: 's', uses: 'subflow', params: { blueprintId: 'plain' } },
    { id: 'z', uses: 'step' },
  ],
  edges: [{ source: 's', target: 'z' }],
};

type Call = (name: string, runId: string) => boolean;

/** What a process that is lost when `isLastCall` says so still sees of a driver: no call of its own from then on. */
function lossy<T extends object>(driver: T, process: { isLost: boolean; readonly isLastCall: Call }): T {
  return new Proxy(driver, {
    get: (target, name: string) => {
      const member = (target as Record<string, unknown>)[name];
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        const [first] = args as [{ runId?: string } | string];
        const runId = typeof first === 'string' ? first : (first?.runId ?? '');
        process.isLost ||= process.isLastCall(name, runId);
        return process.isLost ? new Promise(() => {}) : (member.apply(target, args) as unknown);
      };
    },
  });
}

describe('a process is lost between the end of a run and telling of it', () => {
  let clock: MortalClock;
  let servers: MemoryServers;
  const engines: Engine[] = [];

  const start = async (isLastCall?: Call) => {
    const logger = new RecordingLogger();
    const given = servers.drivers(logger);
    const process = { isLost: false, isLastCall: isLastCall ?? (() => false) };
    const drivers = { ...given, store: lossy(given.store, process), ledger: lossy(given.ledger, process) };
    for (const part of [drivers.queue, drivers.store, drivers.ledger, drivers.signals]) await part.connect();
    const options = { ...DEFAULT_OPTIONS, worker: { ...DEFAULT_OPTIONS.worker, leaseMs: 200, livenessMs: 200 } };
    const runtime = { registry, blueprints: { plain, waits, calls } };
    const engine = new Engine({ ...drivers, clock, ids: new SystemIds(), logger }, { runtime, options });
    engines.push(engine);
    engine.open();
    return { engine, ...given };
  };

  /** A process that is lost at the `calls`-th call after it has ended a run. */
  const startToBeLost = async (calls: number, counts: (runId: string) => boolean = () => true) => {
    let lost = () => {};
    const isLost = new Promise<void>((resolve) => (lost = resolve));
    let left: number | undefined;
    const process = await start((call, runId) => {
      if (left !== undefined && left-- === 0) lost();
      else if (left === undefined && call === 'end' && counts(runId)) left = calls;
      return left !== undefined && left < 0;
    });
    await process.engine.worker.start();
    return { ...process, isLost };
  };

  beforeEach(() => {
    clock = new MortalClock();
    servers = new MemoryServers({ clock });
  });

  afterEach(() => {
    for (const engine of engines.splice(0)) engine.close();
    clock.die();
  });

  it('a cancel that is repeated tells of it', async () => {
    const { engine, store } = await start();
    await engine.worker.start();
    const { runId } = await engine.client.start('waits', {}, {});
    await engine.client.wait(runId, { until: 'settled' });
    await store.end(runId, 'cancelled', 'gone', clock.now());

    await engine.client.cancel(runId, undefined);
    expect(await engine.client.wait(runId, { timeoutMs: 1000 })).toMatchObject({
      status: 'cancelled',
      reason: 'gone',
      timedOut: false,
    });
    await engine.worker.drain();
  });

  it.each([
    ['a sweep tells of it', async (engine: Engine) => engine.reconciler.sweep(0)],
    ['a job tells of it', async (engine: Engine, runId: string) => job(engine, runId)],
  ])('%s, also when the ledger was lost as well', async (_how, wake) => {
    const lost = await startToBeLost(0);
    const { runId } = await lost.engine.client.start('plain', {}, {});
    await lost.isLost;
    servers.ledger.runs.delete(runId);

    const { engine } = await start();
    await wake(engine, runId);
    expect(await engine.client.wait(runId, { timeoutMs: 2000 })).toMatchObject({
      status: 'completed',
      timedOut: false,
    });
  });

  it.each(Array.from({ length: 12 }, (_, calls) => calls))(
    'the run that called it as a subflow goes on, when %i calls of the telling were made',
    async (calls) => {
      const lost = await startToBeLost(calls, (runId) => runId !== 'parent');
      await lost.engine.client.start('calls', {}, { runId: 'parent' });
      await lost.isLost;
      await lost.queue.close(); // the group gives its jobs to others

      const { engine } = await start();
      await engine.worker.start();
      const { client, reconciler } = engine;
      let outcome = await client.wait('parent', { timeoutMs: 300 });
      for (let sweeps = 0; outcome.timedOut && sweeps < 10; sweeps++) {
        await reconciler.sweep(0, { alone: false }); // some of these take the reconciler, when the claim has run out
        outcome = await client.wait('parent', { timeoutMs: 300 });
      }
      expect(outcome).toMatchObject({ status: 'completed', timedOut: false });
      await engine.worker.drain();
    },
  );
});

const job = (engine: Engine, runId: string) => engine.handler.execute({ runId, blueprintId: 'plain', nodeId: 'a' });
