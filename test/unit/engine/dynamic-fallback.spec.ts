import { describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { FlowRuntime, type NodeFunction, type WorkflowBlueprint } from 'flowcraft';
import { FlowcraftClient, FlowcraftKafkaModule } from '../../../src/index.js';

const fallback = { config: { fallback: 'fb' } };
const adding =
  (uses: string): NodeFunction =>
  async () => ({
    output: 1,
    dynamicNodes: [{ id: 'd', uses, ...fallback }],
  });
const registry: Record<string, NodeFunction> = {
  failing: async () => Promise.reject(new Error('no')),
  addsFailing: adding('failing'),
  addsFine: adding('fine'),
  fine: async () => ({ output: 'fine' }),
};

const blueprint = (id: string, uses: string): WorkflowBlueprint => ({
  id,
  nodes: [
    { id: 'a', uses },
    { id: 'never', uses: 'fine' },
    { id: 'fb', uses: 'fine' },
    { id: 'z', uses: 'fine' },
  ],
  edges: [
    { source: 'never', target: 'fb', action: 'not taken' },
    { source: 'fb', target: 'z' },
  ],
});
const blueprints = { rescued: blueprint('rescued', 'addsFailing'), unharmed: blueprint('unharmed', 'addsFine') };

describe('the fallback of a node that was added at run time', () => {
  it.each(Object.keys(blueprints) as (keyof typeof blueprints)[])('steps in as in-process: %s', async (id) => {
    const expected = await new FlowRuntime({ registry, blueprints }).run(blueprints[id], {});
    const runtime = { registry, blueprints };
    const module = FlowcraftKafkaModule.forRoot({ embedded: true, runtime, reconciler: { enabled: false } });
    const app = await NestFactory.createApplicationContext(module, { logger: ['error'], abortOnError: false });
    try {
      const client = app.get(FlowcraftClient);
      const { runId } = await client.start(id);
      const { status, result } = await client.waitForWorkflow(runId);
      const { _executionId: _, ...context } = expected.context;
      expect({ status, context: result?.context }).toMatchObject({ status: expected.status, context });
      expect(Object.hasOwn(result?.context ?? {}, 'z')).toBe(Object.hasOwn(context, 'z'));
    } finally {
      await app.close();
    }
  });
});
