import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { ScheduleModule } from '@nestjs/schedule';
import type { NodeContext, NodeResult, WorkflowBlueprint } from 'flowcraft';
import { FlowcraftClient, FlowcraftKafkaModule, FlowNode, type TurnInfo } from 'nestjs-flowcraft-kafka';

const order: WorkflowBlueprint = {
  id: 'order',
  metadata: { version: '1' },
  nodes: [
    { id: 'price', uses: 'price-order', inputs: 'items' },
    { id: 'approval', uses: 'wait' }, // a person answers, in seconds or in weeks
    { id: 'charge', uses: 'charge-card', inputs: 'price', config: { maxRetries: 3 } },
  ],
  edges: [
    { source: 'price', target: 'approval' },
    { source: 'approval', target: 'charge', action: 'approve' },
  ],
};

@Injectable()
class PaymentService {
  async charge(amount: number, idempotencyKey: string): Promise<string> {
    return `charged ${amount} once for ${idempotencyKey}`;
  }
}

@Injectable()
class OrderNodes {
  constructor(private readonly payments: PaymentService) {}

  @FlowNode('price-order')
  async price({ input }: NodeContext): Promise<NodeResult> {
    return { output: (input as { price: number }[]).reduce((sum, item) => sum + item.price, 0) };
  }

  @FlowNode('charge-card')
  async charge({ input, dependencies }: NodeContext): Promise<NodeResult> {
    const { idempotencyKey } = dependencies['turn'] as TurnInfo;
    return { output: await this.payments.charge(input as number, idempotencyKey) };
  }
}

@Module({
  imports: [FlowcraftKafkaModule.forFeature({ blueprints: [order] })],
  providers: [OrderNodes, PaymentService],
})
class OrderModule {}

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true }),
    ScheduleModule.forRoot(),
    OrderModule,
    FlowcraftKafkaModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({
        kafka: { brokers: config.get('KAFKA_BROKERS', 'localhost:9092').split(',') },
        cassandra: {
          contactPoints: config.get('CASSANDRA_CONTACT_POINTS', 'localhost').split(','),
          localDataCenter: config.get('CASSANDRA_DATACENTER', 'datacenter1'),
        },
        redis: config.get('REDIS_URL', 'redis://localhost:6379'),
        topicName: 'orders-jobs',
        groupId: 'orders-workers',
        keyspace: 'orders',
        redisKeyPrefix: 'orders',
      }),
    }),
  ],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['warn', 'error'] });
app.enableShutdownHooks();
const client = app.get(FlowcraftClient);
const { runId } = await client.start('order', { items: [{ price: 30 }, { price: 12 }] });
await client.waitForWorkflow(runId, { until: 'settled' }); // awaits the approval
await client.resume(runId, { nodeId: 'approval', action: 'approve' });
const { status, result } = await client.waitForWorkflow(runId);
console.log(status, result?.context['charge']); // completed charged 42 once for <runId>:charge@1
await app.close();
