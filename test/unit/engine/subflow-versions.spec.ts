import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { WorkflowBlueprint } from 'flowcraft';
import { Fleet } from '../../support/fleet.js';

/** A run of three levels that asks on the first one before it starts the others. */
function code(version: string): WorkflowBlueprint[] {
  const subflow = (blueprintId: string) => ({ uses: 'subflow', params: { blueprintId, outputs: { said: 'said' } } });
  const metadata = { version };
  return [
    {
      id: 'top',
      metadata,
      nodes: [
        { id: 'ask', uses: 'wait' },
        { id: 'middle', ...subflow('middle') },
      ],
      edges: [{ source: 'ask', target: 'middle' }],
    },
    { id: 'middle', metadata, nodes: [{ id: 'lowest', ...subflow('lowest') }], edges: [] },
    { id: 'lowest', metadata, nodes: [{ id: 'said', uses: 'say', params: { version } }], edges: [] },
  ];
}

describe('the subflows of a run', () => {
  let fleet: Fleet;

  beforeEach(() => {
    fleet = new Fleet({ say: async ({ params }) => ({ output: (params as { version: string }).version }) }, code('1'));
  });
  afterEach(() => fleet.end());

  /** Starts a run with the one code, answers it with the other; what the lowest run has said. */
  async function saidBetween(
    starting: readonly WorkflowBlueprint[],
    working: readonly WorkflowBlueprint[],
  ): Promise<unknown> {
    const { engine: starter } = await fleet.process(undefined, starting);
    const { runId } = await starter.client.start('top', {}, {});
    const { engine } = await fleet.process(undefined, working);
    await engine.worker.start();
    await engine.client.wait(runId, { timeoutMs: 5_000, until: 'settled' });
    await engine.client.resumeWith(runId, { nodeId: 'ask' });
    const { status, result } = await engine.client.wait(runId, { timeoutMs: 5_000 });
    expect(status).toBe('completed');
    return result?.context['said'];
  }

  it('have the versions that were current at its start, also if the next code starts them', async () => {
    expect(await saidBetween(code('1'), code('2'))).toBe('1');
  });

  it('have the next versions in runs that the next code starts', async () => {
    expect(await saidBetween(code('2'), code('2'))).toBe('2');
  });

  it('are started by a worker whose code does not have them any more', async () => {
    expect(await saidBetween(code('1'), [])).toBe('1');
  });

  it('that the starting client does not know have the version of the worker that starts them', async () => {
    expect(await saidBetween(code('1').slice(0, 1), code('2'))).toBe('2');
  });
});
