import type { WorkflowBlueprint } from 'flowcraft';
import { DEFAULT_OPTIONS } from '../../src/composition/default-options.js';
import type { SettleRequest } from '../../src/core/ledger-calls.js';
import type { EngineConfiguration } from '../../src/engine/engine.js';
import type { TurnWrite } from '../../src/ports/run-store.js';
import { FLOWS } from './flows.js';
import { ORACLE_LAB, registryOf } from './lab.js';
import { blueprintsOf, type Code } from './versions.js';
import type { Step } from './world/network.js';
import type { SimulatedProcess } from './world/process.js';
import { World } from './world/world.js';

/** What schedules of the simulation have found, each with the one fault that it takes. */
describe('found by the simulation', () => {
  let world: World;
  let worker: SimulatedProcess;

  const blueprints: Record<string, WorkflowBlueprint> = {};
  for (const flow of FLOWS) for (const blueprint of flow.blueprints) blueprints[blueprint.id] = blueprint;
  const configure = (): EngineConfiguration => ({
    runtime: { registry: registryOf(ORACLE_LAB), blueprints },
    options: DEFAULT_OPTIONS,
  });
  const status = () => world.servers.store.statuses.get('r')?.head?.status;
  const until = (wanted: string) => world.run({ until: () => status() === wanted, forMs: 60_000 });
  const start = (blueprintId: string) => world.complete(worker.engine.client.start(blueprintId, {}, { runId: 'r' }));
  /** Holds calls back, or changes what comes of them. */
  const intercept = (is: (step: Step) => boolean, then: (next: () => Promise<unknown>) => Promise<unknown>) =>
    world.interceptors.push((step, next) => (is(step) ? then(next) : next()));

  beforeEach(async () => {
    world = new World({ seed: 1 });
    worker = world.spawn('w1', configure);
    await world.complete(worker.engine.worker.start());
  });

  afterEach(async () => {
    await world.complete(worker.engine.worker.drain());
    worker.engine.close();
  });

  it('a node that starts a subflow waits for a store that is not available, and does not fail', async () => {
    let failures = 3;
    const calm = world.network;
    world.network = {
      send: (step) =>
        step.method === 'saveBlueprint' && (step.args[1] as WorkflowBlueprint).id === 'inner' && failures-- > 0
          ? { kind: 'refused', ms: 1 }
          : calm.send(step),
      delivery: (process) => calm.delivery(process),
      announcement: (process) => calm.announcement(process),
    };
    await start('subflow');
    expect(await until('completed')).toBe(true);
    expect(failures).toBeLessThan(0);
  });

  it('a cancelled run stays so for those who wait, although one of its nodes began to wait meanwhile', async () => {
    await start('wait');
    await world.run({ until: () => status() === 'awaiting', forMs: 10_000 });
    // a worker that was slow says only now that the run awaits
    const [row] = [...(world.servers.store.turns.get('r')?.values() ?? [])].filter((r) => r.status === 'awaiting');
    let late: Promise<unknown> | undefined;
    intercept(
      (step) => step.method === 'end' && step.server === 'cassandra',
      async (next) => {
        const run = await worker.engine.runs.find('r');
        const state = world.servers.ledger.runs.get('r');
        if (run && state && row)
          late = worker.engine.finisher.review(run, {
            ...state.counts(),
            open: 0,
            awaiting: 1,
            token: row.token + 1e9,
          });
        return next();
      },
    );
    await world.complete(worker.engine.client.cancel('r', 'no more'));
    await world.complete(late ?? Promise.reject(new Error('nobody was late')));
    expect(status()).toBe('cancelled');
  });

  it('an answer that the ledger has lost, but the journal holds, is found by a sweep', async () => {
    await start('two-waits');
    await until('awaiting');
    await world.run({ forMs: 1_000 });
    const restore = world.snapshotLedger();
    await world.complete(worker.engine.client.resume('r', 'v', { output: 1 }));
    restore(); // a replica takes over that does not know of it
    await world.complete(worker.engine.client.resume('r', 'w', { output: 2 }));
    await world.run({ forMs: 1_000 });
    expect(status()).toBe('awaiting');
    await world.complete(worker.engine.reconciler.sweep(0));
    expect(await until('completed')).toBe(true);
  });

  it('the result of a failed run holds its errors, also when a cancel came too late', async () => {
    await start('failing');
    await world.run({ until: () => world.servers.store.runs.get('r')?.status === 'failed', forMs: 10_000 });
    worker.kill(); // it has not come to say so
    worker = world.spawn('w2', configure);
    const { finisher, runs } = worker.engine;
    const run = await world.complete(runs.find('r'));
    if (!run) throw new Error('unreachable');
    expect(await world.complete(finisher.finish(run, 'cancelled', 'too late', { stamp: 0 }))).toBe('failed');
    const result = JSON.parse(world.servers.store.statuses.get('r')?.head?.result ?? '{}') as { errors?: unknown[] };
    expect(result.errors).toHaveLength(1);
  });

  it('a worker that is drained while it starts does not start any more', async () => {
    const late = world.spawn('w2', configure);
    const started = late.engine.worker.start();
    await world.complete(late.engine.worker.drain());
    await world.complete(started);
    late.engine.close();
    await world.run({ forMs: 10_000 });
    expect(late.engine.worker.state).toBe('drained');
    expect(late.timers).toBe(0);
    expect(late.memberships).toEqual([]);
  });

  /** The worker is lost while its write of this turn is on its way. */
  const loseWorkerWriting = async (blueprintId: string, nodeId: string, turn: string) => {
    let deliver: (() => void) | undefined;
    const lost = worker;
    intercept(
      (step) => {
        if (step.process !== lost || step.method !== 'write') return false;
        const { record } = step.args[0] as TurnWrite;
        return record.nodeId === nodeId && record.turn === turn;
      },
      async (next) => {
        await new Promise<void>((resolve) => (deliver = resolve));
        return next();
      },
    );
    await start(blueprintId);
    await world.run({ until: () => deliver !== undefined, forMs: 10_000 });
    worker.kill();
    return () => deliver?.();
  };
  /** It adds one to a key. */
  const loseWorkerWritingB = () => loseWorkerWriting('read-modify-write', 'b', '1');
  const finishOn = async (next: SimulatedProcess) => {
    worker = next;
    await world.run({ forMs: 15_000 }); // nobody holds a claim any more
    await world.complete(worker.engine.worker.start());
    for (let sweeps = 0; status() !== 'completed' && sweeps < 10; sweeps++) {
      await world.complete(worker.engine.reconciler.sweep(0, { alone: false }));
      await world.run({ until: () => status() === 'completed', forMs: 5_000 });
    }
    const { context } = JSON.parse(world.servers.store.statuses.get('r')?.head?.result ?? '{}') as {
      context?: { n?: { v: number } };
    };
    return context?.n?.v;
  };

  it.each(['turns', 'allValues'])(
    'a write that arrives before a rebuild reads the %s is not torn apart',
    async (read) => {
      const deliver = await loseWorkerWritingB();
      world.servers.ledger.clear();
      let reads = 0;
      intercept(
        (step) => step.method === read && reads++ === 0,
        async (next) => {
          const others = read === 'turns' ? 'allValues' : 'turns';
          await new Promise((resolve) => world.time.after(50, () => resolve(others)));
          deliver();
          await Promise.resolve();
          return next();
        },
      );
      expect(await finishOn(world.spawn('w2', configure))).toBe(4);
    },
  );

  it('what other nodes have built upon is not executed again, although the ledger has lost that it was accepted', async () => {
    let restore: (() => void) | undefined;
    intercept(
      (step) => step.method === 'settle' && (step.args[1] as SettleRequest).settlement.node === 'b',
      (next) => {
        restore ??= world.snapshotLedger();
        return next();
      },
    );
    const wrote = (node: string) => world.servers.store.turns.get('r')?.has(`${node}\u001f1`) === true;
    await start('read-modify-write');
    await world.run({ until: () => wrote('c'), forMs: 10_000 });
    worker.kill(); // c has written to the key, too
    restore?.();
    worker = world.spawn('w2', configure);
    await world.run({ forMs: 15_000 });
    await world.complete(
      worker.engine.handler.execute({ runId: 'r', blueprintId: 'read-modify-write', nodeId: 'b', turn: '1' }),
    );
    expect(await finishOn(worker)).toBe(4);
  });

  it('a rebuild does not accept what came too late for the rebuild before it, if its values are lost', async () => {
    const deliver = await loseWorkerWritingB();
    const second = world.spawn('w2', configure);
    const run = await world.complete(second.engine.runs.find('r'));
    if (!run) throw new Error('unreachable');
    world.servers.ledger.clear();
    await world.complete(second.engine.prober.probe(run));
    deliver(); // its row is the first of its turn; its value is older than what the rebuild has written again
    await world.run({ forMs: 100 });
    world.servers.ledger.clear();
    expect(await finishOn(second)).toBe(4);
  });

  it('a rebuild does not accept what came too late for the rebuild before it, if an older output lies above its own', async () => {
    const result = (runId: string) => world.servers.store.statuses.get(runId)?.head?.result;
    await world.complete(worker.engine.client.start('loop', {}, { runId: 'calm' }));
    await world.run({ until: () => result('calm') !== undefined, forMs: 10_000 });
    const deliver = await loseWorkerWriting('loop', 'y', '3');
    const second = world.spawn('w2', configure);
    const run = await world.complete(second.engine.runs.find('r'));
    if (!run) throw new Error('unreachable');
    world.servers.ledger.clear();
    await world.complete(second.engine.prober.probe(run));
    deliver(); // the output of pass 2 has been written again meanwhile
    await world.run({ forMs: 100 });
    world.servers.ledger.clear();
    await finishOn(second);
    const output = (runId: string) => (JSON.parse(result(runId) ?? '{}') as { context?: { y?: unknown } }).context?.y;
    expect(output('r')).toBeDefined();
    expect(output('r')).toEqual(output('calm'));
  });

  it.each([
    ['a rebuild', true],
    ['whoever claims the turn', false],
  ])('what is left of a torn row is not read when its turn is executed again, if %s finds it', async (_who, isLost) => {
    const deliver = await loseWorkerWriting('loop', 'x', '1');
    const second = world.spawn('w2', configure);
    const run = await world.complete(second.engine.runs.find('r'));
    if (!run) throw new Error('unreachable');
    world.servers.ledger.clear();
    await world.complete(second.engine.prober.probe(run));
    deliver(); // of the two keys that it wrote one has been written again meanwhile, the other had never been
    await world.run({ forMs: 100 });
    if (isLost) world.servers.ledger.clear();
    expect(await finishOn(second)).toBe(3);
    expect([...(world.servers.store.turns.get('r')?.keys() ?? [])]).toContain('x\u001f3');
  });

  it.each([
    ['who holds a claim again', 'values'],
    ['whose claim is late', 'claim'],
  ])('a worker %s does not undo what was accepted meanwhile, in a ledger that went back', async (_who, method) => {
    // a first node that looks for its input in the store
    const { nodes = [], edges = [] } = blueprints['chain'] ?? {};
    const reading = nodes.map((node) => (node.id === 'a' ? { ...node, inputs: 'k' } : node));
    const runtime = { ...configure().runtime, blueprints: { reading: { id: 'reading', nodes: reading, edges } } };
    const known = () => ({ ...configure(), runtime });
    await world.complete(worker.engine.worker.drain());
    worker.engine.close();
    worker = world.spawn('w1', known);
    await world.complete(worker.engine.worker.start());
    const client = world.spawn('c1', known);
    const stale = worker;
    let restore: (() => void) | undefined;
    let release: (() => void) | undefined;
    intercept(
      (step) => step.process === stale && step.method === method,
      async (next) => {
        if (restore) return next();
        restore = world.snapshotLedger();
        await new Promise((resolve) => world.time.after(50, () => resolve(undefined)));
        stale.pause();
        await new Promise<void>((resolve) => (release = resolve));
        return next();
      },
    );
    await world.complete(client.engine.client.start('reading', {}, { runId: 'r' }));
    await world.run({ until: () => stale.state === 'paused', forMs: 10_000 });
    const other = world.spawn('w2', known);
    await world.complete(other.engine.worker.start());
    const row = (node: string) => world.servers.store.turns.get('r')?.get(`${node}\u001f1`);
    await world.run({ until: () => row('b') !== undefined, forMs: 60_000 });
    other.kill();
    await world.run({ forMs: 2_000 });
    restore?.();
    stale.wake();
    release?.();
    expect(await until('completed')).toBe(true);
    expect(['a', 'b', 'd'].map((node) => row(node)?.worker)).toEqual(['w2', 'w2', 'w1']);
    client.engine.close();
  });

  it('a turn that one of several could make ready is not executed again because the ledger has lost that another did', async () => {
    const row = (key: string) => world.servers.store.turns.get('r')?.get(key);
    let restore: (() => void) | undefined;
    let release: (() => void) | undefined;
    intercept(
      (step) => step.method === 'settle' && (step.args[1] as SettleRequest).settlement.node === 'b',
      (next) => {
        restore ??= world.snapshotLedger();
        return next();
      },
    );
    intercept(
      (step) => step.method === 'write' && (step.args[0] as TurnWrite).record.nodeId === 'c',
      async (next) => {
        await new Promise<void>((resolve) => (release = resolve));
        return next();
      },
    );
    await start('any-join');
    await world.run({ until: () => row('e\u001f1') !== undefined, forMs: 10_000 });
    const before = row('e\u001f1');
    await world.run({ forMs: 1_000 });
    restore?.(); // a replica takes over that does not know of d@b and e
    release?.();
    await world.run({ until: () => row('d\u001fc') !== undefined, forMs: 10_000 });
    await world.run({ forMs: 1_000 });
    expect(before).toBeDefined();
    expect(row('e\u001f1')?.startedAt).toBe(before?.startedAt);
    await world.run({ forMs: 60_000 });
    await world.complete(worker.engine.reconciler.sweep(0));
    expect(await until('completed')).toBe(true);
  });

  it('a subflow whose parent was ended by somebody who did not know of it ends, too', async () => {
    const client = world.spawn('c1', configure);
    const lost = worker;
    intercept(
      (step) => step.process === lost && step.method === 'accept',
      (next) => next().finally(() => lost.kill()),
    );
    await world.complete(client.engine.client.start('wait-in-a-subflow', {}, { runId: 'r' }));
    await world.run({ until: () => lost.state === 'dead', forMs: 10_000 });
    world.servers.ledger.clear(); // and with it that the node of the subflow was under way
    await world.complete(client.engine.client.cancel('r', undefined));
    worker = world.spawn('w2', configure);
    await world.complete(worker.engine.worker.start());
    const child = () => [...world.servers.store.runs.values()].find((run) => run.parent?.runId === 'r');
    expect(child()?.status).toBe('running');
    await world.run({ forMs: 1_000 });
    await world.complete(worker.engine.reconciler.sweep(0));
    await world.run({ until: () => child()?.status !== 'running', forMs: 60_000 });
    expect(child()?.status).toBe('cancelled');
    client.engine.close();
  });

  it('the job of a turn is not dropped because the ledger loses again what was put right by the journal', async () => {
    let restore: (() => void) | undefined;
    intercept(
      (step) => step.method === 'settle',
      (next) => {
        restore ??= world.snapshotLedger();
        return next();
      },
    );
    const wrote = (node: string) => world.servers.store.turns.get('r')?.has(`${node}\u001f1`) === true;
    await start('chain');
    await world.run({ until: () => wrote('a') && restore !== undefined, forMs: 10_000 });
    worker.kill();
    worker = world.spawn('w2', configure);
    await world.run({ forMs: 15_000 });
    restore?.(); // a replica takes over that does not know of b
    let losses = 0;
    intercept(
      (step) => step.method === 'install',
      (next) =>
        next().finally(() => {
          if (losses++ === 0) restore?.(); // and another one
        }),
    );
    await world.complete(worker.engine.handler.execute({ runId: 'r', blueprintId: 'chain', nodeId: 'b', turn: '1' }));
    expect(losses).toBe(2);
    expect(wrote('b')).toBe(true);
  });

  it('a run that was ended by a process that was lost before it said so is found, also without the ledger', async () => {
    await start('wait');
    await until('awaiting');
    await world.run({ forMs: 1_000 });
    const lost = worker;
    intercept(
      (step) => step.process === lost && step.server === 'cassandra' && step.method === 'end',
      (next) => next().finally(() => lost.kill()),
    );
    void worker.engine.client.cancel('r', undefined);
    await world.run({ forMs: 20_000 });
    world.servers.ledger.clear();
    worker = world.spawn('w2', configure);
    await world.complete(worker.engine.reconciler.sweep(0));
    expect(await until('cancelled')).toBe(true);
  });

  it('a run that is cancelled while whoever started it is slow stays so for those who wait', async () => {
    const other = world.spawn('c1', configure);
    intercept(
      (step) => step.process === worker && step.method === 'accept',
      async (next) => {
        const answer = await next();
        worker.pause();
        return answer;
      },
    );
    const started = worker.engine.client.start('wait', {}, { runId: 'r' });
    await world.run({ until: () => worker.state === 'paused', forMs: 1_000 });
    await world.complete(other.engine.client.cancel('r', undefined));
    expect(status()).toBe('cancelled');
    worker.wake();
    await world.complete(started);
    expect(status()).toBe('cancelled');
    other.engine.close();
  });

  it.each([
    ['a subflow that it does not know', 'subflow'],
    ['an item of a batch that it has no code for', 'batch'],
  ])('a worker with older code leaves %s to others', async (_what, name) => {
    const flow = FLOWS.find((f) => f.name === name);
    if (!flow) throw new Error('unreachable');
    const having = (code: Code) => (): EngineConfiguration => ({
      runtime: { registry: registryOf(ORACLE_LAB, code), blueprints: blueprintsOf(code, [flow]) },
      options: DEFAULT_OPTIONS,
    });
    const client = world.spawn('c1', having('next'));
    await world.complete(worker.engine.worker.drain());
    worker.engine.close();
    worker = world.spawn('old', having('first'));
    await world.complete(worker.engine.worker.start());
    await world.complete(client.engine.client.start(name, {}, { runId: 'r' }));
    await world.run({ forMs: 30_000 });
    expect(status()).toBe('running');
    const next = world.spawn('new', having('next'));
    await world.complete(next.engine.worker.start());
    expect(await until('completed')).toBe(true);
    const executed = [...(world.servers.store.turns.get('r')?.values() ?? [])].map((row) => row.worker);
    expect(new Set(executed)).toEqual(new Set(['old', 'new']));
    await world.complete(next.engine.worker.drain());
    for (const { engine } of [next, client]) engine.close();
  });
});
