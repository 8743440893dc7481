import { FlowcraftClient, FlowcraftKafkaModule } from '../../../src/index.js';
import { describeRetry } from '../../contract/retry-contract.js';
import { builderOf, rootModule } from '../../support/nest-app.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { openServers } from '../../support/servers.js';

describe('retry of a run, on servers with two processes', () => {
  describeRetry(async (runtime) => {
    const servers = openServers('retry');
    const start = async () => {
      const root = rootModule([FlowcraftKafkaModule.forRoot({ ...servers.options, runtime })]);
      const app = await builderOf(root, new RecordingLogger()).compile();
      await app.init();
      return app;
    };
    const first = await start();
    const apps = [first, await start()];
    return {
      client: first.get(FlowcraftClient),
      close: async () => {
        for (const app of apps) await app.close();
        await servers.remove();
      },
    };
  });
});
