import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { WorkflowBlueprint } from 'flowcraft';
import type { RunDescription, RunSummary } from '../../../src/index.js';
import { deferred, startApp, type TestApp } from '../../support/nest-app.js';

const asks: WorkflowBlueprint = {
  id: 'asks',
  nodes: [
    { id: 'work', uses: 'work' },
    { id: 'approval', uses: 'wait' },
  ],
  edges: [{ source: 'work', target: 'approval' }],
};
const calls: WorkflowBlueprint = {
  id: 'calls',
  nodes: [{ id: 'sub', uses: 'subflow', params: { blueprintId: 'asks' } }],
  edges: [],
};

describe('a subflow, as the client describes it', () => {
  let app: TestApp;
  let gate: ReturnType<typeof deferred<void>>;

  beforeEach(async () => {
    gate = deferred();
    const work = async () => {
      await gate.promise;
      return {};
    };
    app = await startApp({ runtime: { blueprints: { asks, calls }, registry: { work } } });
  });
  afterEach(() => app.app.close());

  const childOf = async (runId: string): Promise<string> => {
    for (;;) {
      const described: RunDescription = await app.client.getRun(runId);
      const childRunId = described.nodes.find(({ nodeId }) => nodeId === 'sub')?.childRunId;
      if (childRunId !== undefined) return childRunId;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };

  it('is named by its node while it works, and knows whose it is', async () => {
    const { runId } = await app.client.start('calls');
    const childRunId = await childOf(runId);
    expect((await app.client.getRun(runId)).status).toBe('running');
    expect(await app.client.getRun(childRunId)).toMatchObject({
      runId: childRunId,
      blueprintId: 'asks',
      parent: { runId, nodeId: 'sub' },
    });
    gate.resolve();
  });

  it('is named where its node awaits it, and answered by that name', async () => {
    gate.resolve();
    const { runId } = await app.client.start('calls');
    await app.client.waitForWorkflow(runId, { until: 'settled' });
    const { awaiting, nodes, parent } = await app.client.getRun(runId);
    expect(parent).toBeUndefined();
    const childRunId = awaiting[0]?.childRunId ?? '';
    expect(awaiting).toMatchObject([{ nodeId: 'sub', reason: 'subflow', childRunId: await childOf(runId) }]);
    expect(nodes).toMatchObject([{ nodeId: 'sub', status: 'awaiting', childRunId }]);
    await app.client.resume(childRunId, { nodeId: 'approval', output: 'yes' });
    expect(await app.client.waitForWorkflow(runId)).toMatchObject({
      status: 'completed',
      result: { context: { sub: 'yes' } },
    });
  });

  it('is told apart in a list from runs that were started by themselves', async () => {
    gate.resolve();
    const { runId } = await app.client.start('calls');
    await app.client.waitForWorkflow(runId, { until: 'settled' });
    const { runs } = await app.client.listRuns();
    const own = (run: RunSummary) => [run.blueprintId, run.parent];
    expect(runs.map(own).sort()).toEqual([
      ['asks', { runId, nodeId: 'sub' }],
      ['calls', undefined],
    ]);
  });
});
