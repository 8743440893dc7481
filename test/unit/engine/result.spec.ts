import { afterEach, describe, expect, it } from '@jest/globals';
import type { NodeContext, WorkflowBlueprint } from 'flowcraft';
import { Fleet } from '../../support/fleet.js';

const n = (id: string) => ({ id, uses: 'step' });
const edge = (source: string, target: string) => ({ source, target });
const chain: WorkflowBlueprint = {
  id: 'chain',
  nodes: [n('a'), n('b'), n('c')],
  edges: [edge('a', 'b'), edge('b', 'c')],
};
const join: WorkflowBlueprint = {
  id: 'join',
  nodes: [n('a'), n('b'), n('c')],
  edges: [edge('a', 'c'), edge('b', 'c')],
};

/** What the end of a run reads for its result. */
describe('the result of a run', () => {
  let fleet: Fleet;
  afterEach(() => fleet.end());

  const nodeOf = ({ dependencies }: NodeContext) => dependencies['turn'] as { runId: string; nodeId: string };
  /** @param during what others do while `b` executes */
  async function start(
    blueprint: WorkflowBlueprint,
    during: (runId: string, nodes: NodeContext['context']) => Promise<void> = async () => {},
  ) {
    const calls: string[] = [];
    const step = async (context: NodeContext) => {
      const { runId, nodeId } = nodeOf(context);
      if (nodeId === 'b') await during(runId, context.context);
      return { output: `of ${nodeId}` };
    };
    fleet = new Fleet({ step }, [chain, join]);
    const { engine } = await fleet.process((call, _args, make) => {
      calls.push(call);
      return make();
    });
    await engine.worker.start();
    const { runId } = await engine.client.start(blueprint.id, { given: 1 }, {});
    const { status, result } = await engine.client.wait(runId, { timeoutMs: 5_000 });
    expect(status).toBe('completed');
    return { context: result?.context, calls };
  }

  const outputs = (ids: string[]) =>
    Object.fromEntries(ids.flatMap((id) => [id, `_outputs.${id}`].map((key) => [key, `of ${id}`])));

  it('is made of what settled here, if nobody else has written to the run', async () => {
    const { context, calls } = await start(chain);
    expect(context).toMatchObject({
      given: 1,
      ...outputs(['a', 'b', 'c']),
      '_inputs.b': 'of a',
      '_inputs.c': 'of b',
    });
    expect(calls).toContain('ownValues');
    expect(calls).not.toContain('allValues');
  });

  it('has what others have written to the run meanwhile', async () => {
    const store = () => fleet.servers.drivers(console).store;
    const { context, calls } = await start(chain, async (runId) => {
      const stamp = Date.now() * 1000 + 1_000_000;
      await store().writeValues(runId, [{ key: 'note', value: '{"v":"from outside"}' }], stamp);
      await store().writeValues(runId, [{ key: '_outputs.a', value: '{"v":"another"}' }], stamp);
    });
    expect(context).toMatchObject({ note: 'from outside', a: 'another', b: 'of b', '_inputs.b': 'of a' });
    expect(calls).toContain('allValues');
  });

  it('has inputs that several nodes write, beside what settled here', async () => {
    const { context, calls } = await start(join);
    expect(context).toMatchObject(outputs(['a', 'b', 'c']));
    expect(context).toHaveProperty(['_inputs.c']);
    expect(calls).not.toContain('allValues');
  });

  it('has what its nodes wrote, beside what settled here', async () => {
    const { context, calls } = await start(chain, async (_runId, nodes) => nodes.set('note', 'from b'));
    expect(context).toMatchObject({ ...outputs(['a', 'b', 'c']), note: 'from b' });
    expect(calls).not.toContain('allValues');
  });

  it('is read where a node wrote over the output of another', async () => {
    const { context, calls } = await start(chain, async (_runId, nodes) => nodes.set('a', 'from b'));
    expect(context).toMatchObject({ ...outputs(['b', 'c']), a: 'from b', '_outputs.a': 'of a' });
    expect(calls).toContain('allValues');
  });
});
