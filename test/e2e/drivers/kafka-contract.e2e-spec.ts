import type { Message } from 'kafkajs';
import { jobQueueContract } from '../../contract/job-queue-contract.js';
import { KafkaFixture } from '../../support/kafka-fixture.js';

jobQueueContract('kafka', async () => {
  const kafka = await KafkaFixture.open();
  await kafka.queue().provision();
  return {
    queue: () => kafka.readyQueue({ provision: 'verify' }),
    send: (key, value) => kafka.send({ key, value }),
    deadLetters: async (count) => {
      const messages = await kafka.read(`${kafka.topic}.dead`, count);
      return messages.map((message) => ({
        message: { key: bytesOf(message.key), value: bytesOf(message.value) },
        reason: { code: headerOf(message, 'x-reason-code'), message: headerOf(message, 'x-reason-message') },
      }));
    },
    close: () => kafka.close(),
  };
});

function bytesOf(value: string | Buffer | null | undefined): Buffer | null {
  return value === null || value === undefined ? null : Buffer.from(value);
}

function headerOf(message: Message, name: string): string {
  return message.headers?.[name]?.toString() ?? '';
}
