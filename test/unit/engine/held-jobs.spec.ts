import { afterEach, describe, expect, it } from '@jest/globals';
import type { NodeContext, WorkflowBlueprint } from 'flowcraft';
import { Fleet, type Intercept } from '../../support/fleet.js';

const long: WorkflowBlueprint = { id: 'long', nodes: [{ id: 'a', uses: 'long' }], edges: [] };
const quick: WorkflowBlueprint = {
  id: 'quick',
  nodes: [
    { id: 'a', uses: 'step' },
    { id: 'w', uses: 'wait' },
  ],
  edges: [{ source: 'a', target: 'w' }],
};

describe('a message whose job is not done', () => {
  let fleet: Fleet;
  afterEach(() => fleet.end());
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await pause(1);
  };

  it('is written again once where there are many of the same job', async () => {
    let executed = 0;
    const node = async () => {
      executed++;
      await pause(1_000);
      return { output: 1 };
    };
    fleet = new Fleet({ long: node }, [long], 60_000);
    let published = 0;
    const counting: Intercept = (call, _args, make) => {
      if (call === 'publish') published++;
      return make();
    };
    const { engine } = await fleet.process(counting, undefined, { maxHoldMs: 100 });
    const caller = await fleet.process();
    await engine.worker.start();
    const { runId } = await caller.engine.client.start('long', {}, {});
    await until(() => executed > 0);
    const job = { runId, blueprintId: 'long', nodeId: 'a', turn: '1' };
    for (let i = 0; i < 20; i++) await caller.queue.publish(job);
    expect(await caller.engine.client.wait(runId, { timeoutMs: 5_000 })).toMatchObject({ status: 'completed' });
    expect(executed).toBe(1);
    // ten times a tenth of a second, not that for each of twenty
    expect(published).toBeGreaterThan(3);
    expect(published).toBeLessThan(25);
    await engine.worker.drain();
  });

  it('is not taken for done by a worker that remembers its turn, when the ledger has it open', async () => {
    const executed: string[] = [];
    const step = async ({ dependencies }: NodeContext) => {
      executed.push((dependencies['turn'] as { nodeId: string }).nodeId);
      return { output: 1 };
    };
    fleet = new Fleet({ step }, [quick], 60_000);
    const claims: unknown[] = [];
    const counting: Intercept = (call, args, make) => {
      if (call === 'claim') claims.push(args);
      return make();
    };
    const { engine, queue } = await fleet.process(counting);
    await engine.worker.start();
    const { runId } = await engine.client.start('quick', {}, {});
    expect(await engine.client.wait(runId, { timeoutMs: 5_000, until: 'settled' })).toMatchObject({
      status: 'awaiting',
    });
    const [job, before] = [{ runId, blueprintId: 'quick', nodeId: 'a', turn: '1' }, claims.length];
    await queue.publish(job);
    await pause(50);
    expect(claims).toHaveLength(before);
    await queue.publish({ ...job, isOpen: true });
    await until(() => claims.length > before);
    expect(executed).toEqual(['a']);
    await engine.worker.drain();
  });
});
