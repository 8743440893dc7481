import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { WorkflowBlueprint } from 'flowcraft';
import { FlowcraftClient, FlowcraftKafkaModule, NodeNotAwaitingError, ValueTooLargeError } from '../../../src/index.js';

const one: WorkflowBlueprint = { id: 'one', nodes: [{ id: 'w', uses: 'wait' }], edges: [] };
const two: WorkflowBlueprint = { id: 'two', nodes: ['w1', 'w2'].map((id) => ({ id, uses: 'wait' })), edges: [] };
const within = (id: string, blueprintId: string): WorkflowBlueprint => ({
  id,
  nodes: [{ id: 'sub', uses: 'subflow', params: { blueprintId } }],
  edges: [],
});
const deep: WorkflowBlueprint = {
  id: 'deep',
  nodes: [
    { id: 's', uses: 'sleep', params: { duration: 60_000 } },
    { id: 'napping', uses: 'subflow', params: { blueprintId: 'nap' } },
    { id: 'w', uses: 'wait' },
  ],
  edges: [],
};
const nap: WorkflowBlueprint = {
  id: 'nap',
  nodes: [{ id: 's', uses: 'sleep', params: { duration: 60_000 } }],
  edges: [],
};
const blueprints = {
  deep,
  nap,
  inDeep: within('inDeep', 'deep'),
  inNap: within('inNap', 'nap'),
  inTwo: within('inTwo', 'two'),
  twice: {
    id: 'twice',
    nodes: [
      { id: 'a', uses: 'pass' },
      { id: 'b', uses: 'pass' },
      { id: 'ask', uses: 'wait', config: { joinStrategy: 'any' as const } },
    ],
    edges: ['a', 'b'].map((source) => ({ source, target: 'ask' })),
  },
  inTwice: within('inTwice', 'twice'),
};
const empty: WorkflowBlueprint = { id: 'empty', nodes: [], edges: [] };

describe('a run that waits', () => {
  let app: INestApplicationContext;
  let client: FlowcraftClient;

  beforeEach(async () => {
    const module = FlowcraftKafkaModule.forRoot({
      embedded: true,
      runtime: { registry: { pass: async () => ({}) }, blueprints: { one, two, empty, ...blueprints } },
    });
    app = await NestFactory.createApplicationContext(module, { logger: ['fatal'] });
    client = app.get(FlowcraftClient);
  });
  afterEach(() => app.close());

  it('says so, however soon after its start it waits', async () => {
    for (let i = 0; i < 50; i++) {
      const { runId } = await client.start('one');
      const outcome = await client.waitForWorkflow(runId, { until: 'settled', timeoutMs: 2000 });
      expect(outcome).toMatchObject({ status: 'awaiting', timedOut: false });
    }
  });

  it('waits on when the answer cannot be stored', async () => {
    const { runId } = await client.start('one');
    await client.waitForWorkflow(runId, { until: 'settled' });
    await expect(client.resume(runId, { output: 'x'.repeat(2 << 20) })).rejects.toThrow(ValueTooLargeError);
    expect((await client.getRun(runId)).awaiting).toHaveLength(1);
    await client.resume(runId, { output: 'small' });
    expect(await client.waitForWorkflow(runId)).toMatchObject({ status: 'completed' });
  });

  it('at two nodes wants to know which of them the answer is for', async () => {
    const { runId } = await client.start('two');
    await client.waitForWorkflow(runId, { until: 'settled' });
    await expect(client.resume(runId, { output: 1 })).rejects.toThrow(NodeNotAwaitingError);
    expect((await client.getRun(runId)).awaiting.map((a) => a.nodeId).sort()).toEqual(['w1', 'w2']);
  });

  describe('in a subflow', () => {
    const settled = async (blueprintId: string) => {
      const { runId } = await client.start(blueprintId);
      await client.waitForWorkflow(runId, { until: 'settled' });
      return runId;
    };
    const nodesOf = async (runId: string) => {
      const [child] = (await client.listRuns()).runs.filter((run) => run.runId !== runId && run.status === 'awaiting');
      return (await client.getRun(child?.runId ?? '')).awaiting.map((a) => a.nodeId).sort();
    };

    it('takes the answer at the node that waits for one, whoever sleeps beside it', async () => {
      const runId = await settled('inDeep');
      await client.resume(runId, { nodeId: 'sub', output: 'approved' });
      await expect(client.resume(runId, { nodeId: 'sub', output: 'again' })).rejects.toThrow(
        /Several nodes of run '.+' are awaiting: 's', 'napping'/,
      );
    });

    it('takes none while several nodes wait for one: that of which is not told', async () => {
      const runId = await settled('inTwo');
      await expect(client.resume(runId, { nodeId: 'sub', output: 1 })).rejects.toMatchObject({
        code: 'FLOW_NODE_NOT_AWAITING',
        message: expect.stringContaining("are awaiting: 'w1', 'w2'") as unknown,
      });
      expect(await nodesOf(runId)).toEqual(['w1', 'w2']);
    });

    it('takes an answer for each time that the same node waits', async () => {
      const runId = await settled('inTwice');
      for (let i = 0; i < 2; i++) {
        await client.waitForWorkflow(runId, { until: 'settled' });
        await client.resume(runId, { nodeId: 'sub', output: i });
      }
      expect(await client.waitForWorkflow(runId)).toMatchObject({ status: 'completed' });
    });

    it('is woken at the only node that sleeps', async () => {
      const runId = await settled('inNap');
      await client.resume(runId, { nodeId: 'sub' });
      expect(await client.waitForWorkflow(runId)).toMatchObject({ status: 'completed' });
    });
  });

  it('a run without nodes ends', async () => {
    const { runId } = await client.start('empty');
    expect(await client.waitForWorkflow(runId, { timeoutMs: 2000 })).toMatchObject({
      status: 'completed',
      timedOut: false,
    });
  });
});
