import { NestFactory } from '@nestjs/core';
import { FlowcraftClient, FlowcraftHealth, FlowcraftKafkaModule } from '../../../src/index.js';
import { blueprint } from '../../support/blueprints.js';
import { eventually, openProxy, through } from '../../support/kafka-fixture.js';
import { openServers } from '../../support/servers.js';

describe('the health of a process whose Kafka goes away', () => {
  it('is degraded with a consumer that is made anew, counts that, and is up again when Kafka is back', async () => {
    const servers = openServers('health');
    const proxy = await openProxy();
    const impatient = { requestTimeout: 1000, retry: { retries: 1, initialRetryTime: 50, maxRetryTime: 100 } };
    const runtime = { registry: { step: async () => ({}) }, blueprints: { one: blueprint('one', 'a') } };
    const module = FlowcraftKafkaModule.forRoot({
      ...servers.options,
      kafka: through(proxy, impatient),
      tuning: { kafka: { consumer: { sessionTimeout: 6000 } } },
      runtime,
    });
    const app = await NestFactory.createApplicationContext(module, { logger: ['fatal'] });
    try {
      const health = app.get(FlowcraftHealth);
      expect(health.check()).toMatchObject({ status: 'up', consumer: 'consuming', consumerRestarts: 0 });
      proxy.set('refuse');
      proxy.cut();
      await eventually(() => health.check().consumerRestarts >= 2, 20_000);
      expect(health.check()).toMatchObject({ status: 'degraded', consumer: 'restarting' });
      proxy.set('pass');
      await eventually(() => health.check().status === 'up', 30_000);
      const client = app.get(FlowcraftClient);
      const { runId } = await client.start('one');
      expect(await client.waitForWorkflow(runId)).toMatchObject({ status: 'completed' });
      expect(health.check().consumerRestarts).toBeGreaterThanOrEqual(2);
    } finally {
      proxy.set('pass');
      await app.close();
      await proxy.close();
      await servers.remove();
    }
  }, 90_000);
});
