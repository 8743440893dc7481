import { describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { FlowRuntime, type NodeFunction, type WorkflowBlueprint } from 'flowcraft';
import { FlowcraftClient, FlowcraftKafkaModule } from '../../../src/index.js';

const fallback = { config: { fallback: 'fb' } };
const adding =
  (uses: string, params: Record<string, unknown> = {}, config: object = {}): NodeFunction =>
  async () => ({
    output: 1,
    dynamicNodes: [{ id: 'd', uses, params, config: { ...fallback.config, ...config } }],
  });
const registry: Record<string, NodeFunction> = {
  failing: async () => Promise.reject(new Error('no')),
  addsFailing: adding('failing'),
  addsFine: adding('fine'),
  addsFailingSubflow: adding('subflow', { blueprintId: 'failingChild' }, { maxRetries: 2 }),
  addsFlakySubflow: adding('subflow', { blueprintId: 'flakyChild', outputs: { got: 'c' } }, { maxRetries: 2 }),
  flaky: async ({ dependencies }) => {
    const tries = dependencies['tries'] as { left: number };
    if (tries.left-- > 0) throw new Error('not yet');
    return { output: 'at last' };
  },
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
const child = (id: string, uses: string): WorkflowBlueprint => ({ id, nodes: [{ id: 'c', uses }], edges: [] });
const cases = {
  rescued: blueprint('rescued', 'addsFailing'),
  unharmed: blueprint('unharmed', 'addsFine'),
  rescuedSubflow: blueprint('rescuedSubflow', 'addsFailingSubflow'),
  retriedSubflow: blueprint('retriedSubflow', 'addsFlakySubflow'),
};
const blueprints = {
  ...cases,
  failingChild: child('failingChild', 'failing'),
  flakyChild: child('flakyChild', 'flaky'),
};

/** The ids of executions differ. */
function withoutIds(context: Record<string, unknown> = {}): Record<string, unknown> {
  const text = JSON.stringify(context, (key, value: unknown) => (key === '_executionId' ? undefined : value));
  return JSON.parse(text) as Record<string, unknown>;
}

describe('the fallback of a node that was added at run time', () => {
  it.each(Object.keys(cases) as (keyof typeof cases)[])('steps in as in-process: %s', async (id) => {
    const given = () => ({ registry, blueprints, dependencies: { tries: { left: 1 } } });
    const expected = await new FlowRuntime(given()).run(blueprints[id], {});
    const runtime = given();
    const module = FlowcraftKafkaModule.forRoot({ embedded: true, runtime, reconciler: { enabled: false } });
    const app = await NestFactory.createApplicationContext(module, { logger: ['error'], abortOnError: false });
    try {
      const client = app.get(FlowcraftClient);
      const { runId } = await client.start(id);
      const { status, result } = await client.waitForWorkflow(runId);
      const context = withoutIds(expected.context);
      expect({ status, context: withoutIds(result?.context) }).toMatchObject({ status: expected.status, context });
      expect(Object.hasOwn(result?.context ?? {}, 'z')).toBe(Object.hasOwn(context, 'z'));
    } finally {
      await app.close();
    }
  });
});
