import type { WorkflowBlueprint } from 'flowcraft';
import { UnavailableError } from '../../../src/core/errors.js';
import type { RunRecord } from '../../../src/core/run.js';
import type { Reconciler, ReconciliationStats } from '../../../src/engine/reconciler.js';
import { Fleet, type FleetProcess, type Intercept } from '../../support/fleet.js';

const one: WorkflowBlueprint = { id: 'one', nodes: [{ id: 'a', uses: 'step' }], edges: [] };
const sum = (all: readonly ReconciliationStats[], name: keyof ReconciliationStats) =>
  all.reduce((total, stats) => total + stats[name], 0);

describe('the sweep', () => {
  let fleet: Fleet;
  let probes: string[];

  beforeEach(() => {
    fleet = new Fleet({ step: async () => ({}) }, [one]);
    probes = [];
  });
  afterEach(() => fleet.end());

  const process = (intercept: Intercept = (_name, _args, make) => make()) =>
    fleet.process((name, args, make) => {
      if (name === 'publish') probes.push((args[0] as { runId: string }).runId);
      return intercept(name, args, make);
    });

  /** Runs that were accepted, and of which the ledger knows nothing. */
  const accept = async ({ store, engine }: FleetProcess, count: number): Promise<string[]> => {
    const plan = engine.catalog.current('one');
    await engine.catalog.save(plan);
    const ids: string[] = [];
    for (let i = 0; i < count; i++) {
      const runId = `run-${String(i).padStart(6, '0')}`;
      const record: RunRecord = {
        runId,
        blueprintId: 'one',
        blueprintVersion: null,
        blueprintHash: plan.hash,
        input: '{}',
        inputHash: '',
        tags: [],
        createdAt: Date.now() - 60_000 - i,
        status: 'running',
      };
      await store.accept(record);
      ids.push(runId);
    }
    return ids;
  };
  const limited = (reconciler: Reconciler, most: number) => {
    const { parts } = reconciler as unknown as { parts: { options: { reconciler: { maxRunsPerSweep: number } } } };
    parts.options = { ...parts.options, reconciler: { ...parts.options.reconciler, maxRunsPerSweep: most } };
    return reconciler;
  };

  it('is made by one of five replicas at a time, and asks each run once', async () => {
    const replicas = await Promise.all(Array.from({ length: 5 }, () => process()));
    const ids = await accept(replicas[0] as FleetProcess, 40);
    const all = await Promise.all(replicas.map(({ engine }) => engine.reconciler.sweep(10)));
    expect(all.filter(({ stalledRuns }) => stalledRuns > 0)).toHaveLength(1);
    expect(sum(all, 'reconciledRuns')).toBe(40);
    expect(probes.sort()).toEqual(ids);
  });

  it('of another replica may follow at once, but not by the clock', async () => {
    const [first, second] = await Promise.all([process(), process()]);
    const byClock = { byClock: true };
    await accept(first, 1);
    expect(await first.engine.reconciler.sweep(10, byClock)).toMatchObject({ stalledRuns: 1 });
    for (const lost of [fleet.servers.ledger.cursors, fleet.servers.ledger.progress]) lost.clear();
    expect(await second.engine.reconciler.sweep(10, byClock)).toMatchObject({ stalledRuns: 0 });
    expect(await second.engine.reconciler.sweep(10)).toMatchObject({ stalledRuns: 1 });
  });

  it('is bounded, and the sweeps of all replicas together come to every stalled run', async () => {
    const replicas = await Promise.all(Array.from({ length: 5 }, () => process()));
    const ids = await accept(replicas[0] as FleetProcess, 12_000);
    const reconcilers = replicas.map(({ engine }) => limited(engine.reconciler, 500));
    const all: ReconciliationStats[] = [];
    for (let i = 0; new Set(probes).size < ids.length && i < 60; i++) {
      all.push(await (reconcilers[i % 5] as Reconciler).sweep(10));
    }
    expect(new Set(probes).size).toBe(ids.length);
    expect(probes).toHaveLength(ids.length);
    expect(Math.max(...all.map(({ stalledRuns }) => stalledRuns))).toBeLessThanOrEqual(500);
    expect(all.length).toBeLessThanOrEqual(12_000 / 500 + 2);
  }, 60_000);

  it('touches a bounded part of 100,000 stalled runs at a time, comes to all, and is not held up by those that fail', async () => {
    const COUNT = 100_000;
    const MOST = 2_000;
    const fails = (runId: string) => runId.endsWith('500');
    const touched: number[] = [];
    const failures = new Map<string, number>();
    const replica = await process(async (name, args, make) => {
      if (name === 'run') touched.push((touched.pop() ?? 0) + 1);
      if (name !== 'publish') return make();
      const [{ runId }] = args as [{ runId: string }];
      if (!fails(runId)) return make();
      failures.set(runId, (failures.get(runId) ?? 0) + 1);
      throw new UnavailableError('kafka', 'publish', new Error('too large'));
    });
    const ids = await accept(replica, COUNT);
    const reconciler = limited(replica.engine.reconciler, MOST);
    const all: ReconciliationStats[] = [];
    while (new Set(probes).size < ids.length && all.length < COUNT / MOST + 10) {
      touched.push(0);
      all.push(await reconciler.sweep(50));
    }
    const broken = ids.filter(fails);
    expect(new Set(probes).size).toBe(ids.length);
    // each once: what failed is put back, and takes nobody's place
    expect(probes).toHaveLength(ids.length);
    expect(all).toHaveLength(COUNT / MOST);
    expect(Math.max(...all.map(({ stalledRuns }) => stalledRuns))).toBe(MOST);
    expect(sum(all, 'reconciledRuns')).toBe(ids.length - broken.length);
    expect(sum(all, 'failedRuns')).toBe(broken.length);
    expect([...failures.values()].every((times) => times === 1)).toBe(true);
    // once to see whether anybody watches it, once to ask
    expect(Math.max(...touched)).toBeLessThanOrEqual(2 * MOST);
  }, 120_000);

  it('comes to what is not on the idle list even if that is always full', async () => {
    const replica = await process();
    const ids = await accept(replica, 40);
    const reconciler = limited(replica.engine.reconciler, 8);
    const busy = Array.from({ length: 100 }, (_, i) => `ended-${i}`);
    for (let i = 0; i < 40 && new Set(probes).size < ids.length; i++) {
      await replica.ledger.touch(busy, -60_000);
      await reconciler.sweep(10);
    }
    expect(new Set(probes).size).toBe(ids.length);
  });

  it('puts runs that cannot be asked back for longer and longer, counts them, and goes on with the others', async () => {
    const broken = new Set(['run-000000', 'run-000001', 'run-000002']);
    const failing = new Map<string, number>();
    const replica = await process(async (name, args, make) => {
      const [first] = args as [string];
      if (name !== 'run' || !broken.has(first)) return make();
      failing.set(first, (failing.get(first) ?? 0) + 1);
      throw new UnavailableError('cassandra', 'reading a run', new Error('corrupt'));
    });
    await accept(replica, 10);
    await replica.ledger.touch([...broken].concat(Array.from({ length: 7 }, (_, i) => `run-00000${i + 3}`)), -60_000);
    const stats = await replica.engine.reconciler.sweep(10, { alone: false });
    expect(stats).toEqual({ stalledRuns: 10, reconciledRuns: 7, failedRuns: 3 });
    expect(replica.logger.lines.filter(({ level }) => level === 'error')).toHaveLength(3);
    // not asked again before the threshold is over, though the index is looked through
    const before = new Map(failing);
    expect(await replica.engine.reconciler.sweep(10, { alone: false })).toMatchObject({ failedRuns: 0 });
    for (const runId of broken) expect((failing.get(runId) ?? 0) - (before.get(runId) ?? 0)).toBeLessThanOrEqual(1);
    expect(replica.logger.lines.filter(({ level }) => level === 'error')).toHaveLength(3);
  });

  it('ends in time when the queue takes nothing', async () => {
    const replica = await process((name, _args, make) => (name === 'publish' ? new Promise(() => {}) : make()));
    await accept(replica, 100);
    const began = Date.now();
    const stats = await replica.engine.reconciler.sweep(10);
    expect(Date.now() - began).toBeLessThan(8000);
    expect(stats.failedRuns).toBe(stats.stalledRuns);
    expect(stats.failedRuns).toBeLessThanOrEqual(16);
  }, 15_000);

  it('rests for the threshold when it has read the index to its end, and begins anew when the ledger is lost', async () => {
    const reads: unknown[] = [];
    const replica = await process((name, args, make) => {
      if (name === 'list') reads.push(args[0]);
      return make();
    });
    await accept(replica, 3);
    const sweep = () => replica.engine.reconciler.sweep(10);
    await sweep();
    await sweep();
    expect(reads).toHaveLength(1);
    fleet.servers.ledger.clear();
    probes.length = 0;
    expect(await sweep()).toMatchObject({ reconciledRuns: 3 });
    expect(probes).toHaveLength(3);
  });
});
