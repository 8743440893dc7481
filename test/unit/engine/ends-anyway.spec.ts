import { afterEach, describe, expect, it } from '@jest/globals';
import { JsonSerializer, type NodeContext, type WorkflowBlueprint } from 'flowcraft';
import { startApp, type TestApp } from '../../support/nest-app.js';

let test: TestApp | undefined;

afterEach(async () => {
  await test?.app.close();
  test = undefined;
});

/** Reads what it wrote, unless somebody has put poison there. */
class Choosy extends JsonSerializer {
  override deserialize(text: string): Record<string, unknown> {
    if (text.includes('poison')) throw new Error('unknown class');
    return super.deserialize(text);
  }
}

describe('a run ends, or says what it waits for', () => {
  it('if its first node waits after a delayed start', async () => {
    const waiting: WorkflowBlueprint = { id: 'waiting', nodes: [{ id: 'a', uses: 'wait' }], edges: [] };
    test = await startApp({ runtime: { blueprints: { waiting } } });
    const { client } = test;
    for (let i = 0; i < 12; i++) {
      const { runId } = await client.start('waiting', {}, { delayMs: 10 + i });
      const { status, timedOut } = await client.waitForWorkflow(runId, { until: 'settled', timeoutMs: 5_000 });
      expect({ status, timedOut }).toEqual({ status: 'awaiting', timedOut: false });
      for (;;) {
        const { awaiting } = await client.getRun(runId);
        if (awaiting.some(({ nodeId }) => nodeId === 'a')) break;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(await client.waitForWorkflow(runId, { until: 'settled', timeoutMs: 100 })).toMatchObject({
        status: 'awaiting',
        timedOut: false,
      });
    }
  });

  it('if the serializer cannot read what one of its nodes put out', async () => {
    const chain: WorkflowBlueprint = {
      id: 'chain',
      nodes: [
        { id: 'a', uses: 'poisoner' },
        { id: 'b', uses: 'echo' },
      ],
      edges: [{ source: 'a', target: 'b' }],
    };
    test = await startApp({
      runtime: {
        blueprints: { chain },
        serializer: new Choosy(),
        registry: {
          poisoner: async () => ({ output: 'poison' }),
          echo: async ({ input }: NodeContext) => ({ output: input as unknown }),
        },
      },
    });
    const { client } = test;
    const { runId } = await client.start('chain', {});
    const outcome = await client.waitForWorkflow(runId, { timeoutMs: 10_000 });
    expect(outcome).toMatchObject({ status: 'failed', timedOut: false, errors: [{ nodeId: 'b' }] });
    expect(outcome.reason).toContain('unknown class');
    expect(outcome.result).toBeUndefined();
    expect(await client.getRun(runId)).toMatchObject({ status: 'failed' });
    await expect(client.getContext(runId)).rejects.toMatchObject({ code: 'FLOW_VALUE_NOT_READABLE' });
  });

  it('if a node that was added to it has a type that no worker has', async () => {
    const adding: WorkflowBlueprint = { id: 'adding', nodes: [{ id: 'a', uses: 'adder' }], edges: [] };
    test = await startApp({
      worker: { unroutableGraceMs: 200, unroutableDelayMs: 20 },
      runtime: {
        blueprints: { adding },
        registry: { adder: async () => ({ output: 1, dynamicNodes: [{ id: 'x', uses: 'nowhere' }] }) },
      },
    });
    const { client } = test;
    const { runId } = await client.start('adding', {});
    const outcome = await client.waitForWorkflow(runId, { timeoutMs: 20_000 });
    expect(outcome).toMatchObject({ status: 'failed', timedOut: false, errors: [{ nodeId: 'x' }] });
    expect(outcome.reason).toContain("'nowhere'");
  });
});
