import { expect, it } from '@jest/globals';
import { AsyncContextView, Context, type NodeDefinition, type NodeRegistry } from 'flowcraft';
import { callExecutor } from '../../../src/engine/executor-call.js';
import { FlowcraftRuntime } from '../../../src/engine/flowcraft-runtime.js';
import { ManualClock } from '../../support/manual-clock.js';
import { RecordingLogger } from '../../support/recording-logger.js';

it('a node is found without a look at the others, and sees all of them', async () => {
  let looks = 0;
  const other = (i: number): NodeDefinition => ({
    uses: 'step',
    get id() {
      looks++;
      return `n${i}`;
    },
  });
  const definition: NodeDefinition = { id: 'last', uses: 'step' };
  const blueprint = { id: 'wide', nodes: [...Array.from({ length: 100 }, (_, i) => other(i)), definition], edges: [] };
  const registry: NodeRegistry = {
    step: async ({ dependencies }) => ({ output: dependencies.runtime.blueprint }),
  };
  const flowcraft = new FlowcraftRuntime({ registry }, {}, undefined, new ManualClock(), new RecordingLogger());
  const context = new AsyncContextView(new Context({}));
  const within = flowcraft.executionContext(blueprint, context, 'run', new AbortController().signal);
  const outcome = await callExecutor(flowcraft, { within, definition, input: async () => 1, hear: (event) => event });
  expect(outcome).toMatchObject({ status: 'success', result: {} });
  expect('result' in outcome && (outcome.result as { output: unknown }).output === blueprint).toBe(true);
  expect(looks).toBe(0);
});
