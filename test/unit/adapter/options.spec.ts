import { jest } from '@jest/globals';
import { Client } from 'cassandra-driver';
import { DIContainer, NullLogger } from 'flowcraft';
import { Redis } from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
import { engineOptionsOf } from '../../../src/adapter/adapter-options.js';
import { AdapterSession } from '../../../src/adapter/adapter-session.js';
import { KafkaAdapter, type KafkaAdapterOptions } from '../../../src/adapter/kafka-adapter.js';
import { createKafkaReconciler, type KafkaReconcilerOptions } from '../../../src/adapter/kafka-reconciler.js';
import type { ServerDrivers } from '../../../src/composition/server-drivers.js';
import { SystemClock } from '../../../src/drivers/system/system-clock.js';
import type { Engine } from '../../../src/engine/engine.js';
import { ConfigurationError, DEFAULT_OPTIONS, RedisCoordinationStore } from '../../../src/index.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const cassandraClient = new Client({ contactPoints: ['localhost'], localDataCenter: 'datacenter1' });
const redis = new Redis({ lazyConnect: true });
const warn = jest.fn();
const logger = Object.assign(new NullLogger(), { warn });

/** Those of the page. */
const right: KafkaAdapterOptions = {
  kafka: new Kafka({ brokers: ['localhost:9092'], logLevel: logLevel.NOTHING }),
  cassandraClient,
  coordinationStore: new RedisCoordinationStore(redis),
  topicName: 'flowcraft-jobs',
  groupId: 'flowcraft-worker-group',
  keyspace: 'flowcraft_ks',
  contextTableName: 'contexts',
  statusTableName: 'statuses',
  runtimeOptions: { registry: {}, blueprints: {}, logger },
};

afterEach(() => warn.mockClear());
afterAll(() => cassandraClient.shutdown());

function refusal(make: () => unknown): ConfigurationError | undefined {
  try {
    make();
    return undefined;
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error;
  }
}

const refusalOf = (given: object) => refusal(() => new KafkaAdapter({ ...right, ...given }));
const pathsOf = (given: object) => (refusalOf(given)?.problems ?? []).map(({ path }) => path);

describe('the options of KafkaAdapter', () => {
  it.each<[string[], object]>([
    [['groupid'], { groupid: 'x' }],
    [['topicname'], { topicname: 'x' }],
    [['runtimeOptions.blueprnts'], { runtimeOptions: { blueprnts: {} } }],
    [['runtimeOptions.serializer'], { runtimeOptions: { serializer: {} } }],
    [['runtimeOptions'], { runtimeOptions: undefined }],
    [['runtimeOptions'], { runtimeOptions: new DIContainer() }],
    [['worker.concurency'], { worker: { concurency: 5 } }],
    [['worker.concurrency'], { worker: { concurrency: 0 } }],
    [['provision.topic'], { provision: { topic: 'verfiy' } }],
    [['limits.maxValueBytes'], { limits: { maxValueBytes: -1 } }],
    [['limits.maxValueBytes'], { limits: { maxValueBytes: 5000, maxContextBytes: 4000 } }],
    [['keyspace'], { keyspace: undefined }],
    [['keyspace'], { keyspace: 'bad-name' }],
    [['contextTableName', 'statusTableName'], { contextTableName: undefined, statusTableName: '1st' }],
    [['contextTableName', 'statusTableName'], { contextTableName: 'one', statusTableName: 'one' }],
    [['coordinationStore'], { coordinationStore: undefined }],
    [['coordinationStore'], { coordinationStore: {} }],
    [['kafka'], { kafka: { brokers: ['localhost:9092'] } }],
    [['cassandraClient'], { cassandraClient: undefined }],
    [['redis'], { redis: 'localhost' }],
    [['topicName'], { topicName: 'a b' }],
    [['eventBus'], { eventBus: {} }],
    [['webhooks.baseUrl', 'webhooks.hmac'], { webhooks: { baseUrl: 'x', hmac: {} } }],
    [['tuning.kafka.lingerMS'], { tuning: { kafka: { lingerMS: 1 } } }],
    [['encryption'], { encryption: 'a key' }],
  ])('are refused at %j', (paths, given) => {
    expect(pathsOf(given).sort()).toEqual(paths);
  });

  it('are refused all at once, as options of the adapter', () => {
    const message = refusalOf({ groupid: 'x', keyspace: undefined, worker: { concurrency: 0 } })?.message;
    expect(message).toMatch(/^The options of KafkaAdapter have 3 problem/);
    expect(message).toContain("groupid: is no option; 'groupId' is one");
    expect(message).toContain("keyspace: is missing; name it, as 'flowcraft_ks'");
    expect(message).not.toContain('FlowcraftKafkaModule');
    expect(refusal(() => new KafkaAdapter(undefined as never))?.message).toContain('(options): must be an object');
  });

  it('are missed where they are left out', () => {
    const missing = refusal(() => new KafkaAdapter({} as never))?.problems.map(({ path }) => path);
    expect(missing?.sort()).toEqual(
      ['cassandraClient', 'contextTableName', 'coordinationStore', 'kafka', 'keyspace', 'runtimeOptions'].concat(
        'statusTableName',
      ),
    );
  });

  it('are named as those of the adapter also if a server refuses one later', async () => {
    const connect = async () => {
      throw new ConfigurationError([{ path: 'provision.topic', message: 'is refused' }]);
    };
    const session = new AdapterSession(
      { reconciler: {} } as Engine,
      { connect } as unknown as ServerDrivers,
      new RecordingLogger(),
      new SystemClock(),
    );
    await expect(session.open()).rejects.toThrow(/^The options of KafkaAdapter have 1 problem/);
  });

  it('may have names of other programs, which are warned of', () => {
    expect(pathsOf({ metricsPrefix: 'x', runtimeOptions: { logger, tracer: {} } })).toEqual([]);
    expect(warn.mock.calls.map(([message]) => message)).toEqual([
      "KafkaAdapter was given options that it does not know, and that have no effect: 'metricsPrefix', 'runtimeOptions.tracer'.",
    ]);
  });

  it('are those of the page, without a word, and need no store beside a connection', () => {
    expect(pathsOf({})).toEqual([]);
    expect(pathsOf({ coordinationStore: undefined, redis })).toEqual([]);
    expect(pathsOf({ topicName: undefined, worker: undefined, encryption: undefined })).toEqual([]);
    expect(warn).not.toHaveBeenCalled();
  });

  it('keep their defaults where undefined is given', () => {
    const given = { ...right, worker: { concurrency: undefined, leaseMs: 5000 }, limits: { maxValueBytes: 8_000_000 } };
    const { worker, limits } = engineOptionsOf(given);
    expect(worker).toEqual({ ...DEFAULT_OPTIONS.worker, leaseMs: 5000 });
    expect(limits.maxContextBytes).toBe(8_000_000);
  });
});

describe('the options of createKafkaReconciler()', () => {
  const sweep = jest.fn(async () => ({ stalledRuns: 0, reconciledRuns: 0, failedRuns: 0 }));
  const adapter = {
    use: async (work: (session: unknown) => unknown) =>
      work({ engine: { reconciler: { sweep } }, drivers: {}, logger }),
  };
  const given = { adapter, cassandraClient, keyspace: 'flowcraft_ks', statusTableName: 'statuses' };
  const create = (more: object) => createKafkaReconciler({ ...given, ...more } as unknown as KafkaReconcilerOptions);

  it.each<[string[], object]>([
    [['stalledThresholdSecond'], { stalledThresholdSecond: 5 }],
    [['stalledThresholdSeconds'], { stalledThresholdSeconds: -1 }],
    [['stalledThresholdSeconds'], { stalledThresholdSeconds: Number.NaN }],
    [['adapter'], { adapter: undefined }],
    [['cassandraClient', 'keyspace'], { cassandraClient: {}, keyspace: undefined }],
    [['statusTableName'], { statusTableName: 'bad-name' }],
  ])('are refused at %j', (paths, more) => {
    const error = refusal(() => create(more));
    expect(error?.problems.map(({ path }) => path).sort()).toEqual(paths);
    expect(error?.message).toMatch(/^The options of createKafkaReconciler\(\) have/);
  });

  it("have the module's default for stalledThresholdSeconds", async () => {
    const none = Promise.resolve({ rows: [], pageState: null } as never);
    jest.spyOn(cassandraClient, 'execute').mockReturnValue(none as never);
    await create({}).run();
    expect(sweep).toHaveBeenCalledWith(300, expect.anything());
  });
});
