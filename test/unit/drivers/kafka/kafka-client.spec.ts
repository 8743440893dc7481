import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { Kafka, logLevel, type KafkaConfig } from 'kafkajs';
import { KafkaClient } from '../../../../src/drivers/kafka/kafka-client.js';
import { kafkaLogCreator } from '../../../../src/drivers/kafka/kafka-log.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

const SASL: KafkaConfig = {
  brokers: ['127.0.0.1:1'],
  sasl: { mechanism: 'plain', username: 'user', password: 'TOP-SECRET' },
};

describe('a Kafka client', () => {
  it('shows its credentials in no inspection and no JSON', () => {
    const client = new KafkaClient(SASL, new RecordingLogger());
    expect(inspect(client, { depth: 10, showHidden: true })).not.toContain('TOP-SECRET');
    expect(JSON.stringify(client)).not.toContain('TOP-SECRET');
  });

  it('has defaults that lie under what the user says', () => {
    const logger = new RecordingLogger();
    expect(new KafkaClient(SASL, logger)).toMatchObject({
      requestTimeoutMs: 10_000,
      retry: { retries: 10, initialRetryTime: 100, maxRetryTime: 2000 },
    });
    const own = new KafkaClient({ ...SASL, requestTimeout: 77, retry: { retries: 3 } }, logger);
    expect(own).toMatchObject({ requestTimeoutMs: 77, retry: { retries: 3, initialRetryTime: 100 } });
  });

  it('hands out an instance of the user as it is', () => {
    const instance = new Kafka(SASL);
    const client = new KafkaClient(instance, new RecordingLogger());
    const connection = client.open({ repeated: false });
    expect(connection.kafka).toBe(instance);
    connection.sever();
  });

  it('that is severed ends at once, however often kafkajs would try', async () => {
    const client = new KafkaClient(SASL, new RecordingLogger());
    const { kafka, sever } = client.open({ repeated: false });
    const producer = kafka.producer();
    const connecting = producer.connect();
    sever();
    await expect(connecting).rejects.toThrow();
  });
});

describe("kafkajs' log", () => {
  it('is ours, one level lower, with known fields only, once for what is repeated', () => {
    const logger = new RecordingLogger();
    let closed = false;
    const write = kafkaLogCreator(logger, () => closed)(logLevel.INFO);
    const entry = (level: logLevel, namespace: string, message: string) =>
      write({
        namespace,
        level,
        label: '',
        log: {
          timestamp: '',
          message,
          broker: 'b:1',
          payload: Buffer.from('secret'),
          sasl: { password: 'secret' },
          extra: 'secret',
        },
      });
    entry(logLevel.ERROR, 'Consumer', 'Crash');
    entry(logLevel.WARN, 'Runner', 'The group is rebalancing');
    entry(logLevel.INFO, '', 'Starting');
    entry(logLevel.ERROR, 'Connection', 'Response Heartbeat(key: 12, version: 3)');
    entry(logLevel.ERROR, 'Consumer', 'Crash');
    closed = true;
    entry(logLevel.ERROR, 'Consumer', 'Another');
    expect(logger.lines).toEqual([
      { level: 'warn', message: 'kafkajs [Consumer] Crash', fields: { broker: 'b:1' } },
      { level: 'warn', message: 'kafkajs [Runner] The group is rebalancing', fields: { broker: 'b:1' } },
      { level: 'debug', message: 'kafkajs Starting', fields: { broker: 'b:1' } },
      {
        level: 'debug',
        message: 'kafkajs [Connection] Response Heartbeat(key: 12, version: 3)',
        fields: { broker: 'b:1' },
      },
      { level: 'debug', message: 'kafkajs [Consumer] Crash', fields: { broker: 'b:1' } },
      { level: 'debug', message: 'kafkajs [Consumer] Another', fields: { broker: 'b:1' } },
    ]);
    expect(JSON.stringify(logger.lines)).not.toContain('secret');
  });
});
