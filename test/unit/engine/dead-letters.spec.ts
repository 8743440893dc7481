import { MemoryServers } from '../../../src/drivers/memory/memory-servers.js';
import { SystemClock } from '../../../src/drivers/system/system-clock.js';
import { FlowcraftClient } from '../../../src/index.js';
import { FlowcraftKafkaTestingModule } from '../../../src/testing/index.js';
import { describeDeadLetters } from '../../contract/dead-letters-contract.js';
import { builderOf, rootModule } from '../../support/nest-app.js';
import { RecordingLogger } from '../../support/recording-logger.js';

describe('dead letters, embedded', () => {
  describeDeadLetters(async (runtime) => {
    const servers = new MemoryServers({ clock: new SystemClock(), partitions: 1 });
    const root = rootModule([FlowcraftKafkaTestingModule.forTest({ runtime })]);
    const app = await builderOf(root, new RecordingLogger(), servers).compile();
    await app.init();
    return {
      client: app.get(FlowcraftClient),
      send: async (key, value) => servers.broker.append(key, value === null ? null : Buffer.from(value)),
      otherGroups: async () => [],
      close: () => app.close(),
    };
  });
});
