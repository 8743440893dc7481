import { FlowcraftClient, FlowcraftKafkaModule } from '../../../src/index.js';
import { describeRefusedOutcomes } from '../../contract/refused-outcomes-contract.js';
import { builderOf, rootModule } from '../../support/nest-app.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { openServers } from '../../support/servers.js';

describe('outcomes that cannot be stored, on servers', () => {
  describeRefusedOutcomes(async (runtime) => {
    const servers = openServers('refused');
    const root = rootModule([FlowcraftKafkaModule.forRoot({ ...servers.options, runtime })]);
    const app = await builderOf(root, new RecordingLogger()).compile();
    await app.init();
    return {
      client: app.get(FlowcraftClient),
      close: async () => {
        await app.close();
        await servers.remove();
      },
    };
  });

  it('fail the node when they are more than the server takes, whatever limits the module has', async () => {
    const servers = openServers('refused_size');
    const blueprint = { id: 'large', nodes: [{ id: 'a', uses: 'large' }], edges: [] };
    const root = rootModule([
      FlowcraftKafkaModule.forRoot({
        ...servers.options,
        limits: { maxValueBytes: 40_000_000, maxContextBytes: 80_000_000 },
        runtime: {
          registry: { large: async () => ({ output: 'x'.repeat(18_000_000) }) },
          blueprints: { large: blueprint },
        },
      }),
    ]);
    const app = await builderOf(root, new RecordingLogger()).compile();
    await app.init();
    try {
      const client = app.get(FlowcraftClient);
      const { runId } = await client.start('large');
      const outcome = await client.waitForWorkflow(runId, { timeoutMs: 20_000 });
      expect(outcome).toMatchObject({
        status: 'failed',
        errors: [{ nodeId: 'a', message: expect.stringContaining('Cassandra') }],
      });
    } finally {
      await app.close();
      await servers.remove();
    }
  }, 60_000);
});
