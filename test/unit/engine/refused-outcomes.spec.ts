import { FlowcraftClient, FlowcraftKafkaModule } from '../../../src/index.js';
import { describeRefusedOutcomes } from '../../contract/refused-outcomes-contract.js';
import { builderOf, rootModule } from '../../support/nest-app.js';
import { RecordingLogger } from '../../support/recording-logger.js';

describe('outcomes that cannot be stored, on the embedded drivers', () => {
  describeRefusedOutcomes(async (runtime) => {
    const root = rootModule([FlowcraftKafkaModule.forRoot({ embedded: true, runtime })]);
    const app = await builderOf(root, new RecordingLogger()).compile();
    await app.init();
    return { client: app.get(FlowcraftClient), close: () => app.close() };
  });
});
