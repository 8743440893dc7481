import { SESSION_TIMEOUT_MS } from '../drivers/kafka/kafka-job-queue.js';
import type { FlowcraftSettings } from './settings.js';

/** Options that work, and most likely not as they are meant. */
export function warningsOf({ servers, engine }: FlowcraftSettings): string[] {
  if (!servers) return [];
  const session = servers.tuning?.kafka?.consumer?.sessionTimeout ?? SESSION_TIMEOUT_MS;
  const { livenessMs } = engine.worker;
  if (livenessMs <= session) return [];
  return [
    `worker.livenessMs (${livenessMs}) is above Kafka's session timeout (${session}): the jobs of a worker that was lost wait for it to be counted as dead. Set it lower, or tuning.kafka.consumer.sessionTimeout higher.`,
  ];
}
