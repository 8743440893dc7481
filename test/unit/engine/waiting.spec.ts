import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { WorkflowBlueprint } from 'flowcraft';
import { FlowcraftClient, FlowcraftKafkaModule, NodeNotAwaitingError, ValueTooLargeError } from '../../../src/index.js';

const one: WorkflowBlueprint = { id: 'one', nodes: [{ id: 'w', uses: 'wait' }], edges: [] };
const two: WorkflowBlueprint = { id: 'two', nodes: ['w1', 'w2'].map((id) => ({ id, uses: 'wait' })), edges: [] };
const empty: WorkflowBlueprint = { id: 'empty', nodes: [], edges: [] };

describe('a run that waits', () => {
  let app: INestApplicationContext;
  let client: FlowcraftClient;

  beforeEach(async () => {
    const module = FlowcraftKafkaModule.forRoot({ embedded: true, runtime: { blueprints: { one, two, empty } } });
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

  it('a run without nodes ends', async () => {
    const { runId } = await client.start('empty');
    expect(await client.waitForWorkflow(runId, { timeoutMs: 2000 })).toMatchObject({
      status: 'completed',
      timedOut: false,
    });
  });
});
