import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { FlowcraftClient, FlowcraftKafkaModule } from '../../src/index.js';

/** Closes while a wait of ten minutes is pending; the process has to end by itself. */
const blueprints = { waits: { id: 'waits', nodes: [{ id: 'w', uses: 'wait' }], edges: [] } };
const app = await NestFactory.createApplicationContext(
  FlowcraftKafkaModule.forRoot({ embedded: true, runtime: { blueprints } }),
  { logger: ['fatal'] },
);
const client = app.get(FlowcraftClient);
const { runId } = await client.start('waits');
const tell = (what: string) => (error: { code?: string }) => console.log(`${what}: ${error.code}`);
client.waitForWorkflow(runId, { timeoutMs: 600_000 }).catch(tell('wait'));
(async () => {
  for await (const event of client.events(runId)) void event;
})().catch(tell('events'));
await client.waitForWorkflow(runId, { until: 'settled' });
console.log('closing');
await app.close();
