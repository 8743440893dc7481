import { describe, expect, it } from '@jest/globals';
import type { KafkaClient } from '../../../../src/drivers/kafka/kafka-client.js';
import { provisionTopics } from '../../../../src/drivers/kafka/kafka-topics.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

const TOO_FEW = Object.assign(new Error('Replication factor 99 is larger than the number of brokers'), {
  type: 'INVALID_REPLICATION_FACTOR',
});

/** Each try meets the next of these errors, the last one again and again. */
async function provisionWith(errors: readonly Error[], timeoutMs: number): Promise<unknown> {
  let tries = 0;
  const withAdmin = async () => {
    throw errors[Math.min(tries++, errors.length - 1)] ?? new Error('unreachable');
  };
  const topics = [{ topic: 'jobs', partitions: 1, replicationFactor: 99, config: {} }];
  const client = { withAdmin } as unknown as KafkaClient;
  return provisionTopics(client, 'create', topics, timeoutMs, new RecordingLogger());
}

describe('creating topics', () => {
  const late = new Error('The brokers did not answer in time');

  it('is refused for what the brokers said, also when the last try got no answer any more', async () => {
    const refusal = {
      code: 'FLOW_CONFIGURATION',
      message: expect.stringContaining('Replication factor 99') as unknown,
    };
    await expect(provisionWith([TOO_FEW, late], 250)).rejects.toMatchObject(refusal);
    await expect(provisionWith([late, TOO_FEW], 250)).rejects.toMatchObject(refusal);
  });

  it('fails as unavailable when no broker has answered', async () => {
    await expect(provisionWith([late], 250)).rejects.toMatchObject({ code: 'FLOW_UNAVAILABLE' });
  });
});
