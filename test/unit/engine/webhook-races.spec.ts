import { setTimeout as pause } from 'node:timers/promises';
import type { WorkflowBlueprint } from 'flowcraft';
import { hashOfToken } from '../../../src/core/webhook.js';
import { Fleet, losing, type FleetProcess, type Intercept } from '../../support/fleet.js';
import { Random } from '../../simulation/world/random.js';

const flow: WorkflowBlueprint = {
  id: 'flow',
  nodes: [
    { id: 'a', uses: 'step' },
    { id: 'h', uses: 'webhook' },
    { id: 'z', uses: 'echo' },
  ],
  edges: [
    { source: 'a', target: 'h' },
    { source: 'h', target: 'z' },
  ],
};
const SEEDS = Array.from({ length: 60 }, (_, i) => i + 1);
const DAY_MS = 86_400_000;

describe('calls to a webhook, about when its node begins to wait', () => {
  let fleet: Fleet;
  const open = () => {
    fleet = new Fleet(
      { step: async () => ({ output: 1 }), echo: async ({ input }: { input?: unknown }) => ({ output: input }) },
      [flow],
    );
  };
  afterEach(() => fleet.end());

  const addUrl = (process: FleetProcess, runId: string, token: string) =>
    process.store.addWebhook({
      hash: hashOfToken(token),
      runId,
      nodeId: 'h',
      turn: '1',
      expiresAt: Date.now() + DAY_MS,
    });

  it.each(SEEDS)('one is taken, and that one is the answer (seed %i)', async (seed) => {
    open();
    const random = new Random(seed, 'calls');
    const slow: Intercept = async (_call, _args, make) => {
      for (let turns = random.int(4); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
      return make();
    };
    const processes = [await fleet.process(slow), await fleet.process(slow)] as const;
    await processes[0].engine.worker.start();
    const runId = `run-${seed}`;
    for (const token of ['t1', 't2']) await addUrl(processes[0], runId, token);
    const started = processes[0].engine.client.start('flow', {}, { runId });
    const answers = await Promise.all(
      Array.from({ length: 5 }, async (_, i) => {
        const { engine } = random.pick(processes);
        await pause(random.int(8));
        return engine.receive(random.pick(['t1', 't2']), { i });
      }),
    );
    await started;
    // before the run was there, nobody can have been answered
    if (!answers.includes(true)) answers.push(await processes[1].engine.receive('t1', { i: answers.length }));
    expect(answers.filter((taken) => taken)).toHaveLength(1);
    const { status, result } = await processes[1].engine.client.wait(runId, { timeoutMs: 10_000 });
    expect([status, result?.context['z']]).toEqual(['completed', { i: answers.indexOf(true) }]);
    expect(fleet.servers.store.calls.size).toBe(0);
    await processes[0].engine.worker.drain();
  });

  it.each(['keptCall', 'settle', 'dropCall'])(
    'a call that was kept is handed on by another process if the worker is lost before its %s',
    async (last) => {
      open();
      let isKept = false;
      const { intercept, lost } = losing((call) => isKept && call === last);
      const worker = await fleet.process((call, args, make) => {
        // the turn of the webhook, not those before
        isKept ||= call === 'write' && JSON.stringify(args).includes('"nodeId":"h"');
        return intercept(call, args, make);
      });
      const other = await fleet.process();
      const runId = `run-${last}`;
      await addUrl(worker, runId, 'token');
      await other.engine.client.start('flow', {}, { runId });
      expect(await other.engine.receive('token', 'early')).toBe(true);
      expect(await other.engine.receive('token', 'again')).toBe(false);
      await worker.engine.worker.start();
      await lost;
      await worker.leave();
      await other.engine.worker.start();
      const { status, result } = await other.engine.client.wait(runId, { timeoutMs: 10_000 });
      expect([status, result?.context['z']]).toEqual(['completed', 'early']);
      await other.engine.worker.drain();
    },
    20_000,
  );
});
