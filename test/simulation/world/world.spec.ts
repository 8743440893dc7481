import type { WorkflowBlueprint } from 'flowcraft';
import { DEFAULT_OPTIONS } from '../../../src/composition/default-options.js';
import type { EngineConfiguration } from '../../../src/engine/engine.js';
import { delay } from '../../../src/ports/clock.js';
import { CalmNetwork, type Fate, type Step } from './network.js';
import type { SimulatedProcess } from './process.js';
import { Random } from './random.js';
import { World } from './world.js';

const diamond: WorkflowBlueprint = {
  id: 'diamond',
  nodes: ['a', 'b', 'c', 'd'].map((id) => ({ id, uses: 'step', ...(id === 'd' ? { inputs: 'b' } : {}) })),
  edges: [
    { source: 'a', target: 'b' },
    { source: 'a', target: 'c' },
    { source: 'b', target: 'd' },
    { source: 'c', target: 'd' },
  ],
};

function configure({ clock }: SimulatedProcess): EngineConfiguration {
  const step = async ({ input }: { input?: unknown }) => {
    await delay(clock, 10);
    return { output: [input ?? 0] };
  };
  return { runtime: { registry: { step }, blueprints: { diamond } }, options: DEFAULT_OPTIONS };
}

async function simulate(seed: number, prepare?: (world: World) => void) {
  const trace: string[] = [];
  const world = new World({ seed, trace: (line) => trace.push(line) });
  prepare?.(world);
  const [first, second] = ['w1', 'w2'].map((name) => world.spawn(name, configure));
  if (!first || !second) throw new Error('unreachable');
  for (const { engine } of [first, second]) await world.complete(engine.worker.start());
  const { runId } = await world.complete(first.engine.client.start('diamond', {}, { runId: 'r' }));
  const status = () => world.servers.store.statuses.get(runId)?.head?.status;
  const stop = async () => {
    for (const { state, engine } of [first, second]) {
      if (state === 'running') await world.complete(engine.worker.drain());
      engine.close();
    }
  };
  return { world, first, second, status, stop, trace };
}

describe('the simulated world', () => {
  it('runs the engine to its end, and leaves no timer', async () => {
    const { world, first, second, status, stop } = await simulate(1);
    expect(await world.run({ until: () => status() === 'completed', forMs: 10_000 })).toBe(true);
    await stop();
    expect([first.timers, second.timers]).toEqual([0, 0]);
  });

  it('does the same for the same seed, and something else for another', async () => {
    const runOf = async (seed: number) => {
      const { world, status, stop, trace } = await simulate(seed);
      await world.run({ until: () => status() === 'completed', forMs: 10_000 });
      await stop();
      return trace;
    };
    const trace = await runOf(7);
    expect(trace.length).toBeGreaterThan(30);
    expect(await runOf(7)).toEqual(trace);
    expect(await runOf(8)).not.toEqual(trace);
  });

  it('a killed process does nothing any more, and another takes its work', async () => {
    const { world, first, second, status, stop } = await simulate(2);
    const victim = () => [first, second].find(({ engine }) => engine.worker.running.length > 0);
    await world.run({ until: () => victim() !== undefined, forMs: 1_000 });
    victim()?.kill();
    expect(await world.run({ until: () => status() === 'completed', forMs: 60_000 })).toBe(true);
    expect(world.time.elapsed).toBeGreaterThan(6_000); // until its sign of life has run out
    await stop();
  });

  it('a paused process leaves the group after the session timeout and comes back when it is woken', async () => {
    const { world, first, status, stop } = await simulate(3);
    first.pause();
    const before = first.timers;
    await world.run({ forMs: 20_000 });
    expect(first.timers).toBe(before);
    expect(first.memberships.map((m) => m.isIn)).toEqual([false]);
    expect(status()).toBe('completed');
    first.wake();
    await world.run({ forMs: 5_000 });
    expect(first.memberships.map((m) => m.isIn)).toEqual([true]);
    await stop();
  });

  it.each<[string, (random: Random) => Fate]>([
    ['refused', () => ({ kind: 'refused', ms: 1 })],
    ['served without an answer', () => ({ kind: 'unanswered', ms: 1 })],
    ['served later than they time out', (random) => ({ kind: 'late', ms: 1, laterMs: random.between(1, 2_000) })],
  ])('calls that are %s are repeated', async (_name, fate) => {
    const { world, status, stop } = await simulate(4, (world) => {
      const random = new Random(4, 'network');
      const calm = new CalmNetwork(random);
      const send = (step: Step): Fate =>
        step.process.engine.worker.state === 'running' && step.args[0] !== 'r' && random.chance(0.3)
          ? fate(random)
          : calm.send(step);
      world.network = { send, delivery: () => calm.delivery(), announcement: () => calm.announcement() };
    });
    expect(await world.run({ until: () => status() === 'completed', forMs: 60_000 })).toBe(true);
    await stop();
  });

  it('goes back to an earlier ledger', async () => {
    const { world, status, stop } = await simulate(5);
    const restore = world.snapshotLedger();
    await world.run({ until: () => status() === 'completed', forMs: 10_000 });
    await world.run({ forMs: 1_000 });
    expect(world.servers.ledger.runs.get('r')?.get('x')).toBe('completed');
    restore();
    expect(world.servers.ledger.runs.get('r')?.get('x')).toBeUndefined();
    await stop();
  });
});
