import { Client } from 'cassandra-driver';
import { Redis } from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
import { createEmbeddedDrivers } from '../../../src/composition/embedded-drivers.js';
import { SystemClock } from '../../../src/drivers/system/system-clock.js';
import { SystemIds } from '../../../src/drivers/system/system-ids.js';
import {
  BlueprintNotFoundError,
  CassandraContext,
  CassandraContextFactory,
  FLOWCRAFT_DRIVERS,
  FlowcraftClient,
  FlowcraftError,
  FlowcraftKafkaModule,
  KafkaAdapter,
  RedisCoordinationStore,
} from '../../../src/index.js';
import { builderOf, rootModule, startApp } from '../../support/nest-app.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const servers = {
  kafka: { brokers: ['localhost:9092'] },
  cassandra: { contactPoints: ['localhost'], localDataCenter: 'datacenter1' },
  redis: 'redis://localhost:6379',
};

describe('what the module provides', () => {
  it("with servers, whose clients are not connected: the adapter's classes, and a context that is of no run", async () => {
    const logger = new RecordingLogger();
    const cassandra = new Client(servers.cassandra);
    const clients = {
      kafka: new Kafka({ ...servers.kafka, logLevel: logLevel.NOTHING }),
      cassandra,
      redis: new Redis({ lazyConnect: true }),
    };
    const drivers = createEmbeddedDrivers({ clock: new SystemClock(), ids: new SystemIds(), logger });
    const options = { ...servers, worker: { enabled: false }, reconciler: { enabled: false } };
    const app = await builderOf(rootModule([FlowcraftKafkaModule.forRoot(options)]), logger)
      .overrideProvider(FLOWCRAFT_DRIVERS)
      .useValue({ ...drivers, clients })
      .compile();
    await app.init();
    expect(app.get(KafkaAdapter)).toBeInstanceOf(KafkaAdapter);
    expect(app.get(RedisCoordinationStore)).toBeInstanceOf(RedisCoordinationStore);
    const context = app.get(CassandraContext);
    expect(context).toBeInstanceOf(CassandraContext);
    for (const use of [() => context.get('a'), () => context.set('a', 1), () => context.toJSON()])
      expect(use).toThrow('Call forRun(runId) first.');
    for (const ofRun of [context.forRun('r1'), app.get(CassandraContextFactory).create('r1')]) {
      expect(ofRun).toBeInstanceOf(CassandraContext);
      expect(() => ofRun.forRun('r2')).not.toThrow();
    }
    await app.close();
    await cassandra.shutdown();
  });

  it('without servers: stand-ins that say so when they are used', async () => {
    const { app } = await startApp({});
    const context = app.get(CassandraContext);
    expect(() => context.forRun('r1')).toThrow('CassandraContext is not available with embedded: true');
    expect(() => app.get(CassandraContextFactory).create('r1')).toThrow('not available with embedded: true');
    await app.close();
  });

  it('and throws errors that are all FlowcraftErrors', async () => {
    const { app } = await startApp({});
    const error: unknown = await app
      .get(FlowcraftClient)
      .start('none')
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BlueprintNotFoundError);
    expect(error).toBeInstanceOf(FlowcraftError);
    await app.close();
  });
});
