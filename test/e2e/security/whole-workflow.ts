import type { NodeContext, NodeRegistry, WorkflowBlueprint } from 'flowcraft';
import type { FlowcraftClient } from '../../../src/index.js';

/** A join, a loop of dynamic nodes, a subflow, a wait and a sleep: all that a run asks of the servers. */
export const blueprints: Record<string, WorkflowBlueprint> = {
  whole: {
    id: 'whole',
    nodes: [
      { id: 'a', uses: 'step' },
      ...['b', 'c', 'd'].map((id) => ({ id, uses: 'step', inputs: 'a' })),
      { id: 'join', uses: 'step', inputs: { b: 'b', c: 'c', d: 'd' } },
      { id: 'child', uses: 'subflow', params: { blueprintId: 'child' } },
      { id: 'nap', uses: 'sleep', params: { duration: 10 } },
      { id: 'wait', uses: 'wait' },
      { id: 'end', uses: 'step', inputs: 'wait' },
    ],
    edges: [
      ...['b', 'c', 'd'].flatMap((id) => [
        { source: 'a', target: id },
        { source: id, target: 'join' },
      ]),
      { source: 'join', target: 'child' },
      { source: 'child', target: 'nap' },
      { source: 'nap', target: 'wait' },
      { source: 'wait', target: 'end' },
    ],
  },
  child: { id: 'child', nodes: [{ id: 'c', uses: 'step' }], edges: [] },
};

export const registry = {
  step: async ({ input }: NodeContext) => ({ output: { input } }),
} as NodeRegistry;

/** A run to its end, and one that is cancelled. */
export async function runOneOfEach(client: FlowcraftClient): Promise<void> {
  const [one, other] = await Promise.all([client.start('whole', { x: 1 }), client.start('whole', { x: 2 })]);
  await client.waitForWorkflow(one.runId, { until: 'settled', timeoutMs: 30_000 });
  await until(async () => (await client.getRun(one.runId)).awaiting.some(({ nodeId }) => nodeId === 'wait'));
  await client.resume(one.runId, { nodeId: 'wait', output: 42 });
  const { status, result } = await client.waitForWorkflow(one.runId, { timeoutMs: 30_000 });
  expect([status, result?.context['end']]).toEqual(['completed', { input: 42 }]);
  await client.cancel(other.runId);
  expect(await client.waitForWorkflow(other.runId)).toMatchObject({ status: 'cancelled' });
  expect((await client.listRuns()).runs.length).toBeGreaterThan(0);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('It did not happen.');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
