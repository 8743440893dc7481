import { describe, expect, it } from '@jest/globals';
import { ClosedError } from '../../../src/index.js';
import { Program } from '../../support/program.js';
import { startApp } from '../../support/nest-app.js';

const blueprints = { waits: { id: 'waits', nodes: [{ id: 'w', uses: 'wait' }], edges: [] } };
const closed = (runId: string) => expect.objectContaining({ code: 'FLOW_CLOSED', runId }) as unknown;

describe('whoever waits for a run when the application closes', () => {
  it('is told so, by waitForWorkflow and by events alike, whatever time is left', async () => {
    const { app, client } = await startApp({ runtime: { blueprints } });
    const { runId } = await client.start('waits');
    const wait = client.waitForWorkflow(runId, { timeoutMs: 600_000 }).catch((error: unknown) => error);
    const watch = (async () => {
      for await (const event of client.events(runId)) void event;
    })().catch((error: unknown) => error);
    await client.waitForWorkflow(runId, { until: 'settled' });
    const began = performance.now();
    await app.close();
    expect(await wait).toEqual(closed(runId));
    expect(await watch).toEqual(closed(runId));
    expect(performance.now() - began).toBeLessThan(2000);
    expect(await wait).toBeInstanceOf(ClosedError);
    await expect(client.waitForWorkflow(runId)).rejects.toBeInstanceOf(ClosedError);
  });

  it('is told of the end of a run that came while the application drained', async () => {
    let begun = () => {};
    const started = new Promise<void>((resolve) => (begun = resolve));
    const { app, client } = await startApp({
      runtime: {
        blueprints: { slow: { id: 'slow', nodes: [{ id: 's', uses: 'slow' }], edges: [] } },
        registry: {
          slow: async () => {
            begun();
            await new Promise((resolve) => setTimeout(resolve, 300));
            return { output: 1 };
          },
        },
      },
    });
    const { runId } = await client.start('slow');
    const waits = Promise.all([1, 2].map(() => client.waitForWorkflow(runId)));
    await started;
    await app.close();
    for (const outcome of await waits) expect(outcome).toMatchObject({ status: 'completed', timedOut: false });
  });

  it('lets a node of this process that waits for another run end first', async () => {
    let begun = () => {};
    const started = new Promise<void>((resolve) => (begun = resolve));
    const outcomes: unknown[] = [];
    const { app, client } = await startApp({
      worker: { drainTimeoutMs: 5000 },
      runtime: {
        blueprints: {
          outer: { id: 'outer', nodes: [{ id: 'o', uses: 'outer' }], edges: [] },
          ...blueprints,
        },
        registry: {
          outer: async () => {
            begun();
            outcomes.push(await client.waitForWorkflow('other', { timeoutMs: 300, until: 'finished' }));
            return {};
          },
        },
      },
    });
    await client.start('waits', {}, { runId: 'other' });
    await client.start('outer');
    await started;
    await app.close();
    expect(outcomes).toEqual([expect.objectContaining({ timedOut: true, status: 'awaiting' })]);
  });

  it('does not keep the process alive', async () => {
    const program = Program.start(new URL('../../support/closes-while-waiting.ts', import.meta.url).pathname, {});
    try {
      await program.writes(/closing/);
      const late = setTimeout(() => program.child.kill('SIGKILL'), 5000);
      const code = await program.exit;
      clearTimeout(late);
      expect(program.output).toMatch(/wait: FLOW_CLOSED/);
      expect(program.output).toMatch(/events: FLOW_CLOSED/);
      expect(code).toBe(0);
    } finally {
      await program.kill();
    }
  }, 60_000);
});
