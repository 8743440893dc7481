import { Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { FlowcraftKafkaModule } from 'nestjs-flowcraft-kafka';
import { ModerationModule } from './moderation.module.js';
import { connectionsFrom } from './settings.js';

@Module({
  imports: [
    ScheduleModule.forRoot(),
    ModerationModule,
    FlowcraftKafkaModule.forRootAsync({
      useFactory: () => ({
        ...connectionsFrom(process.env),
        topicName: 'moderation-jobs',
        groupId: 'moderation-workers',
        keyspace: 'moderation',
        redisKeyPrefix: 'moderation',
        worker: { enabled: process.env['FLOWCRAFT_WORKER'] !== '0' },
      }),
    }),
  ],
})
export class AppModule {}
