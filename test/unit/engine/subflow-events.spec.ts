import { describe, expect, it } from '@jest/globals';
import {
  FlowcraftError,
  FlowRuntime,
  type FlowcraftEvent,
  type Middleware,
  type NodeRegistry,
  type RuntimeOptions,
  type WorkflowBlueprint,
} from 'flowcraft';
import { startApp } from '../../support/nest-app.js';

const child: WorkflowBlueprint = {
  id: 'child',
  nodes: [
    { id: 'a', uses: 'step' },
    { id: 'b', uses: 'step' },
  ],
  edges: [{ source: 'a', target: 'b' }],
};
const failing: WorkflowBlueprint = { id: 'failing', nodes: [{ id: 'x', uses: 'fails' }], edges: [] };
const calling = (id: string, blueprintId: string, config: object, params: object = {}): WorkflowBlueprint => ({
  id,
  nodes: [
    { id: 'before', uses: 'step' },
    { id: 'sub', uses: 'subflow', params: { blueprintId, ...params }, config },
    { id: 'after', uses: 'step' },
    ...('fallback' in config ? [{ id: 'fb', uses: 'step' }] : []),
  ],
  edges: [
    { source: 'before', target: 'sub' },
    { source: 'sub', target: 'after' },
  ],
});
const blueprints = Object.fromEntries(
  [
    child,
    failing,
    calling('completes', 'child', {}),
    calling('maps', 'child', {}, { inputs: { given: 'before' }, outputs: { got: 'b' } }),
    calling('fails', 'failing', {}),
    calling('isRetried', 'failing', { maxRetries: 3 }),
    calling('isRescued', 'failing', { fallback: 'fb', maxRetries: 2 }),
    calling('isUnknown', 'nowhere', { fallback: 'fb' }),
  ].map((b) => [b.id, b]),
);
const registry: NodeRegistry = {
  step: async ({ input }) => ({ output: `${String(input ?? 'start')}.` }),
  fails: async () => Promise.reject(new Error('no')),
};

/** Tells of all that happens to nodes, in order. */
function watched(): { told: string[]; runtime: RuntimeOptions } {
  const told: string[] = [];
  const text = (error: unknown) => (error instanceof FlowcraftError ? error.message : String(error));
  const middleware: Middleware = {
    beforeNode: async (_context, nodeId) => void told.push(`before ${nodeId}`),
    afterNode: async (_context, nodeId, result, error) =>
      void told.push(`after ${nodeId}: ${JSON.stringify(result)} ${error ? text(error) : ''}`),
  };
  const emit = async (event: FlowcraftEvent) => {
    const { type } = event;
    if (!type.startsWith('node:')) return;
    const { nodeId, result, error, attempt, fallback } = event.payload as unknown as Record<string, unknown>;
    told.push(`${type} ${JSON.stringify({ nodeId, result, error: error && text(error), attempt, fallback })}`);
  };
  return { told, runtime: { registry, blueprints, middleware: [middleware], eventBus: { emit } } };
}

describe('what event bus and middleware are told of a subflow', () => {
  it.each(['completes', 'maps', 'fails', 'isRetried', 'isRescued', 'isUnknown'])(
    'is what they are told in-process, when it %s',
    async (id) => {
      const expected = watched();
      await new FlowRuntime(expected.runtime).run(blueprints[id] as WorkflowBlueprint, {});
      const actual = watched();
      const { app, run } = await startApp({ runtime: actual.runtime });
      await run(id);
      await app.close();
      // in-process, the child's error has its message for some runs only
      const plain = (lines: string[]) =>
        lines.map((line) => line.replace(/"_executionId":"[^"]*"/, '<id>').replace(/(Status: failed\.).*$/, '$1'));
      expect(plain(actual.told)).toEqual(plain(expected.told));
    },
  );
});
