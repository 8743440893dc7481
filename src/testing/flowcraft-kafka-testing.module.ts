import type { DynamicModule } from '@nestjs/common';
import { FlowcraftKafkaModule } from '../nest/flowcraft-kafka.module.js';
import type { FlowcraftKafkaModuleExtras, FlowcraftKafkaOptions } from '../nest/options.js';

/** The options of the module without those of the servers. */
export type FlowcraftKafkaTestOptions = Omit<
  FlowcraftKafkaOptions,
  'kafka' | 'cassandra' | 'redis' | 'embedded' | 'provision' | 'tuning' | 'connectTimeoutMs'
> &
  FlowcraftKafkaModuleExtras;

/** Stands in for `FlowcraftKafkaModule` in tests. */
export class FlowcraftKafkaTestingModule {
  /**
   * The module without any servers: runs are executed in the process of the test and forgotten with it. Everything
   * else is as in production, except that the sweep for stalled runs is off and that a drain waits for one second.
   */
  static forTest(options: FlowcraftKafkaTestOptions = {}): DynamicModule {
    return FlowcraftKafkaModule.forRoot({
      ...options,
      embedded: true,
      worker: { drainTimeoutMs: 1000, ...options.worker },
      reconciler: { enabled: false, ...options.reconciler },
    });
  }
}
