import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { FlowcraftClient, FlowcraftKafkaModule } from '../../../src/index.js';
import { describeDeadLetters } from '../../contract/dead-letters-contract.js';
import { BROKERS } from '../../support/kafka-fixture.js';
import { builderOf, rootModule } from '../../support/nest-app.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { openServers } from '../../support/servers.js';

describe('dead letters, on servers', () => {
  describeDeadLetters(async (runtime) => {
    const servers = openServers('dead');
    const { topicName } = servers.options;
    const root = rootModule([
      FlowcraftKafkaModule.forRoot({ ...servers.options, provision: { partitions: 1 }, runtime }),
    ]);
    const app = await builderOf(root, new RecordingLogger()).compile();
    await app.init();
    const kafka = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING });
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    const admin = kafka.admin();
    await Promise.all([producer.connect(), admin.connect()]);
    return {
      client: app.get(FlowcraftClient),
      send: async (key, value) => {
        await producer.send({ topic: topicName, messages: [{ key, value }] });
      },
      otherGroups: async () => {
        const { groups } = await admin.listGroups();
        return groups.map(({ groupId }) => groupId).filter((id) => id.startsWith(topicName) && id !== topicName);
      },
      close: async () => {
        await Promise.all([producer.disconnect(), admin.disconnect()]);
        await app.close();
        await servers.remove();
      },
    };
  });
});
