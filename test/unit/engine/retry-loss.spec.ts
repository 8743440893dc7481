import type { WorkflowBlueprint } from 'flowcraft';
import { Fleet, losing } from '../../support/fleet.js';

const line: WorkflowBlueprint = {
  id: 'line',
  nodes: ['a', 'b', 'c'].map((id) => ({ id, uses: 'step', params: { id } })),
  edges: [
    { source: 'a', target: 'b' },
    { source: 'b', target: 'c' },
  ],
};
/** What a retry calls after it has opened the run, in the order of its first use. */
const CALLS = ['writeStatus', 'lock', 'write', 'install', 'publish'];

describe('a process that is lost while it retries a run', () => {
  it.each(CALLS)(
    'before %s: the run goes on elsewhere all the same',
    async (call) => {
      const executed: string[] = [];
      let broken = true;
      const fleet = new Fleet(
        {
          step: async ({ dependencies }) => {
            const { nodeId } = dependencies['turn'] as { nodeId: string };
            executed.push(nodeId);
            if (nodeId === 'b' && broken) throw new Error('broken');
            return { output: nodeId };
          },
        },
        [line],
      );
      try {
        const worker = await fleet.process();
        await worker.engine.worker.start();
        const { runId } = await worker.engine.client.start('line', {}, {});
        expect(await worker.engine.client.wait(runId, {})).toMatchObject({ status: 'failed' });
        broken = false;
        let isOpen = false;
        const { intercept, lost } = losing((name) => isOpen && name === call);
        const other = await fleet.process(async (name, args, make) => {
          const answer = await intercept(name, args, make);
          if (name === 'reopen') isOpen = true;
          return answer;
        });
        other.engine.client.retry(runId, {}).catch(() => {}); // its caller is gone with it
        await lost;
        // what is lost holds the right to rebuild for a while
        const deadline = Date.now() + 20_000;
        let outcome = await worker.engine.client.wait(runId, { timeoutMs: 100 });
        while (outcome.status !== 'completed' && Date.now() < deadline) {
          await worker.engine.reconciler.sweep(0, { alone: false });
          await new Promise((resolve) => setTimeout(resolve, 100));
          outcome = await worker.engine.client.wait(runId, { timeoutMs: 100 });
        }
        expect(outcome).toMatchObject({ status: 'completed' });
        expect(executed).toEqual(['a', 'b', 'b', 'c']);
        expect(await worker.engine.client.describe(runId)).toMatchObject({ retries: 1, status: 'completed' });
      } finally {
        fleet.end();
      }
    },
    40_000,
  );
});
