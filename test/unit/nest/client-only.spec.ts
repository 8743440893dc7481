import { SystemClock } from '../../../src/drivers/system/system-clock.js';
import { MemoryServers } from '../../../src/drivers/memory/memory-servers.js';
import { NodeImplementationMissingError } from '../../../src/index.js';
import { blueprint } from '../../support/blueprints.js';
import { startApp, type TestApp } from '../../support/nest-app.js';

/** Blueprints whose code only workers have: a line, a wait, a batch and a subflow. */
const blueprints = {
  line: blueprint('line', 'a>b', { a: { uses: 'count' }, b: { uses: 'count' } }),
  asks: blueprint('asks', 'ask>b', { ask: { uses: 'wait' }, b: { uses: 'count' } }),
  many: blueprint('many', 'scatter>gather', {
    scatter: {
      uses: 'batch-scatter',
      inputs: 'items',
      params: { workerUsesKey: 'count', outputKey: 'counted', gatherNodeId: 'gather' },
    },
    gather: { uses: 'batch-gather', params: { outputKey: 'counted', gatherNodeId: 'gather' } },
  }),
  above: blueprint('above', 'sub', {
    sub: { uses: 'subflow', params: { blueprintId: 'line', outputs: { last: 'b' } } },
  }),
};

let opened: TestApp[] = [];

async function start(...args: Parameters<typeof startApp>): Promise<TestApp> {
  const app = await startApp(...args);
  opened.push(app);
  return app;
}

afterEach(async () => {
  await Promise.all(opened.map(({ app }) => app.close()));
  opened = [];
});

const told = ({ logger }: TestApp) => logger.lines.filter(({ level }) => level === 'warn' || level === 'error');

describe('a process with worker.enabled: false that lacks the code of the nodes', () => {
  async function fleet(): Promise<TestApp> {
    const servers = new MemoryServers({ clock: new SystemClock() });
    const count = async () => ({ output: 'counted' });
    await start({ runtime: { blueprints, registry: { count } } }, { servers });
    return start({ worker: { enabled: false }, runtime: { blueprints } }, { servers });
  }

  it('starts runs, which workers execute, and says nothing about the nodes', async () => {
    const api = await fleet();
    const { status, result } = await api.run('line');
    expect([status, result?.context['b']]).toEqual(['completed', 'counted']);
    expect(told(api)).toEqual([]);
  });

  it('starts runs with batches and subflows', async () => {
    const api = await fleet();
    expect((await api.run('many', { items: [1, 2, 3] })).result?.context['counted']).toHaveLength(3);
    expect((await api.run('above')).result?.context['last']).toBe('counted');
  });

  it('answers nodes that wait', async () => {
    const { client } = await fleet();
    const { runId } = await client.start('asks');
    await client.waitForWorkflow(runId, { until: 'settled' });
    await client.resume(runId);
    expect(await client.waitForWorkflow(runId)).toMatchObject({ status: 'completed' });
  });
});

it("refuses blueprints with unknown node types if it is told so, with blueprints.unknownNodes: 'refuse'", async () => {
  const options = {
    worker: { enabled: false },
    runtime: { blueprints },
    blueprints: { unknownNodes: 'refuse' } as const,
  };
  const { client } = await start(options);
  await expect(client.start('line')).rejects.toBeInstanceOf(NodeImplementationMissingError);
});
