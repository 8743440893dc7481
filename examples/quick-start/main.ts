import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createFlow } from 'flowcraft';
import { FlowcraftClient, FlowcraftKafkaModule } from 'nestjs-flowcraft-kafka';

const greeting = createFlow('greeting')
  .node('greet', async ({ context }) => ({ output: `Hello, ${await context.get('name')}` }))
  .node('shout', async ({ input }) => ({ output: `${input}!`.toUpperCase() }))
  .edge('greet', 'shout');

@Module({ imports: [FlowcraftKafkaModule.forRoot({ embedded: true, runtime: { blueprints: { greeting } } })] })
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['warn', 'error'] });
const client = app.get(FlowcraftClient);
const { runId } = await client.start('greeting', { name: 'Ada' });
const { status, result } = await client.waitForWorkflow(runId);
console.log(status, result?.context['shout']); // completed HELLO, ADA!
await app.close();
