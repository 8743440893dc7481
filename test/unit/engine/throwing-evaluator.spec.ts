import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FlowRuntime, type IEvaluator, type NodeRegistry, type WorkflowBlueprint } from 'flowcraft';
import { deferred, startApp, type TestApp } from '../../support/nest-app.js';

/** `fails` is an expression that it throws at, as long as it is told to. */
class Throwing implements IEvaluator {
  isBroken = true;
  evaluate(expression: string): unknown {
    if (expression === 'fails' && this.isBroken) throw new RangeError('cannot evaluate this');
    return expression === 'fails' || expression === 'input';
  }
}

const blueprint = (id: string, edge: object): WorkflowBlueprint => ({
  id,
  nodes: [
    { id: 'a', uses: 'step', config: { fallback: 'fb' } },
    { id: 'fb', uses: 'step' },
    { id: 'z', uses: 'step' },
    { id: 'slow', uses: 'slow' },
    { id: 'next', uses: 'step' },
  ],
  edges: [
    { source: 'a', target: 'z', ...edge },
    { source: 'slow', target: 'next' },
  ],
});
const blueprints = Object.fromEntries(
  [
    blueprint('condition', { condition: 'fails' }),
    blueprint('transform', { transform: 'fails' }),
    {
      id: 'parent',
      nodes: [
        { id: 'sub', uses: 'subflow', params: { blueprintId: 'condition' }, config: { fallback: 'fb' } },
        { id: 'fb', uses: 'step' },
      ],
      edges: [],
    },
  ].map((b) => [b.id, b]),
);

describe('an evaluator that throws at an edge', () => {
  let test: TestApp;
  let evaluator: Throwing;
  let executed: string[];
  /** Ends the slow node; resolved when its signal is aborted. */
  let slow: ReturnType<typeof deferred<void>>;
  let begun: ReturnType<typeof deferred<void>>;

  const registry = (): NodeRegistry => {
    const note = (id: string) => void executed.push(id);
    return {
      step: async ({ dependencies }) => {
        await begun.promise;
        note((dependencies['turn'] as { nodeId: string } | undefined)?.nodeId ?? 'in-process');
        return { output: 1 };
      },
      slow: async ({ signal }) => {
        note('slow');
        begun.resolve(undefined);
        signal?.addEventListener('abort', () => slow.resolve(undefined));
        await slow.promise;
        signal?.throwIfAborted();
        return { output: 1 };
      },
    };
  };

  beforeEach(async () => {
    evaluator = new Throwing();
    executed = [];
    [slow, begun] = [deferred(), deferred()];
    test = await startApp({ runtime: { registry: registry(), blueprints, evaluator } });
  });
  afterEach(() => test.app.close());

  it.each(['condition', 'transform'])('ends the run with its error: a %s', async (id) => {
    const { runId } = await test.client.start(id);
    const { status, reason, errors } = await test.client.waitForWorkflow(runId);
    await slow.promise; // aborted
    expect(status).toBe('failed');
    expect(reason).toContain('cannot evaluate this');
    expect(errors).toMatchObject([{ nodeId: 'a', cause: { name: 'RangeError', message: 'cannot evaluate this' } }]);
    expect(executed.filter((node) => node !== 'slow')).toEqual(['a']);

    slow.resolve(undefined);
    executed = [];
    const inProcess = new FlowRuntime({ registry: registry(), blueprints, evaluator });
    await expect(inProcess.run(blueprints[id] as WorkflowBlueprint, {})).rejects.toThrow('cannot evaluate this');
    expect(executed.filter((node) => node !== 'slow')).toHaveLength(1);
  });

  it('can be put right, and the run retried', async () => {
    const { runId } = await test.client.start('condition');
    await test.client.waitForWorkflow(runId);
    evaluator.isBroken = false;
    slow = deferred();
    slow.resolve(undefined);
    await test.client.retry(runId);
    const { status } = await test.client.waitForWorkflow(runId);
    expect(status).toBe('completed');
    expect(executed).toContain('z');
  });

  it('in a subflow fails the node of that, whose fallback steps in', async () => {
    const { runId } = await test.client.start('parent');
    const { status } = await test.client.waitForWorkflow(runId);
    expect({ status, last: executed.at(-1) }).toEqual({ status: 'completed', last: 'fb' });
  });
});
