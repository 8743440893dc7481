import { Client } from 'cassandra-driver';
import { DIContainer, JsonSerializer, NullLogger, PropertyEvaluator, ServiceTokens } from 'flowcraft';
import { Kafka, logLevel } from 'kafkajs';
import { ConfigurationError, DEFAULT_OPTIONS, FlowcraftKafkaModule } from '../../../src/index.js';
import { warningsOf } from '../../../src/nest/option-warnings.js';
import { settingsOf } from '../../../src/nest/settings.js';
import { builderOf, rootModule } from '../../support/nest-app.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const servers = {
  kafka: { brokers: ['localhost:9092'] },
  cassandra: { contactPoints: ['localhost'], localDataCenter: 'datacenter1' },
  redis: 'redis://localhost:6379',
};

function problems(options: unknown): Record<string, string> {
  try {
    settingsOf(options);
    return {};
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return Object.fromEntries(error.problems.map(({ path, message }) => [path, message]));
  }
}

describe('the options', () => {
  it('have a default for everything but the connections', () => {
    const settings = settingsOf(servers);
    expect(settings.servers).toMatchObject({
      ...servers,
      topicName: 'flowcraft-jobs',
      groupId: 'flowcraft-worker-group',
      keyspace: 'flowcraft_ks',
      contextTableName: 'contexts',
      statusTableName: 'statuses',
      redisKeyPrefix: 'flowcraft',
      connectTimeoutMs: 30_000,
      provision: DEFAULT_OPTIONS.provision,
    });
    expect(settings.engine).toEqual({
      worker: DEFAULT_OPTIONS.worker,
      client: DEFAULT_OPTIONS.client,
      limits: DEFAULT_OPTIONS.limits,
      reconciler: DEFAULT_OPTIONS.reconciler,
      blueprints: DEFAULT_OPTIONS.blueprints,
    });
  });

  it('keep their defaults where undefined is given', () => {
    const settings = settingsOf({
      ...servers,
      topicName: undefined,
      worker: { concurrency: undefined, leaseMs: 5000 },
    });
    expect(settings.servers?.topicName).toBe('flowcraft-jobs');
    expect(settings.engine.worker).toEqual({ ...DEFAULT_OPTIONS.worker, leaseMs: 5000 });
  });

  it.each([
    ['no connection', {}, ['kafka', 'cassandra', 'redis']],
    ['one connection', { kafka: servers.kafka }, ['cassandra', 'redis']],
    ['two connections', { kafka: servers.kafka, redis: servers.redis }, ['cassandra']],
  ])('name each connection that is missing: %s', (_name, options, paths) => {
    const found = problems(options);
    expect(Object.keys(found)).toEqual(paths);
    expect(Object.values(found).every((message) => message.includes('embedded: true'))).toBe(true);
  });

  it('refuse connections beside embedded: true', () => {
    const found = problems({ embedded: true, kafka: servers.kafka });
    expect(found).toEqual({ kafka: expect.stringContaining('contradicts embedded: true') });
  });

  it('list all that is wrong at once, by path', () => {
    const found = problems({
      ...servers,
      redis: 'localhost',
      topic: 'x',
      topicName: 'a b',
      keyspace: 'bad-name',
      contextTableName: '1st',
      redisKeyPrefix: '{x}',
      connectTimeoutMs: 0,
      worker: { concurrency: 0, drainTimeoutMs: -1, enabled: 'yes', leases: 1 },
      reconciler: { cron: 'now and then', stalledThresholdSeconds: 0 },
      provision: { topic: 'maybe', partitions: 1.5, keyspaceReplication: { dc1: 0 } },
      limits: { maxValueBytes: 'many' },
      blueprints: { unknownNodes: 'ignore' },
      runtime: { registry: [] },
    });
    expect(Object.keys(found).sort()).toEqual(
      [
        'blueprints.unknownNodes',
        'connectTimeoutMs',
        'contextTableName',
        'keyspace',
        'limits.maxValueBytes',
        'provision.keyspaceReplication.dc1',
        'provision.partitions',
        'provision.topic',
        'reconciler.cron',
        'reconciler.stalledThresholdSeconds',
        'redis',
        'redisKeyPrefix',
        'runtime.registry',
        'topic',
        'topicName',
        'worker.concurrency',
        'worker.drainTimeoutMs',
        'worker.enabled',
        'worker.leases',
      ].sort(),
    );
    expect(found['topic']).toBe('is no option; look for a typing error');
  });

  it('name each problem once', () => {
    let all: readonly { path: string }[] = [];
    try {
      settingsOf({ ...servers, worker: { maxHoldMs: 0, leaseMs: 0 } });
    } catch (error) {
      all = (error as ConfigurationError).problems;
    }
    expect(all.map(({ path }) => path)).toEqual(['worker.leaseMs', 'worker.maxHoldMs']);
  });

  it('refuse a value that would fit in no context, and let a small context be', () => {
    expect(
      Object.keys(problems({ ...servers, limits: { maxValueBytes: 8_000_000, maxContextBytes: 7_000_000 } })),
    ).toEqual(['limits.maxValueBytes']);
    expect(problems({ ...servers, limits: { maxValueBytes: 8_000_000, maxContextBytes: 8_000_000 } })).toEqual({});
    expect(problems({ ...servers, limits: { maxValueBytes: 8_000_000 } })).toEqual({});
    const raised = settingsOf({ ...servers, limits: { maxValueBytes: 8_000_000 } });
    expect(raised.engine.limits.maxContextBytes).toBe(8_000_000);
    expect(problems({ ...servers, limits: { maxContextBytes: 1000 } })).toEqual({});
  });

  it("warn of workers that count as dead later than Kafka's session ends", () => {
    const warnings = (worker: object, tuning = {}) => warningsOf(settingsOf({ ...servers, worker, tuning }));
    expect(warnings({ livenessMs: 10_001 })).toEqual([expect.stringContaining('worker.livenessMs (10001)')]);
    expect(warnings({ livenessMs: 10_001 }, { kafka: { consumer: { sessionTimeout: 20_000 } } })).toEqual([]);
    expect(warnings({})).toEqual([]);
    expect(warningsOf(settingsOf({ embedded: true, worker: { livenessMs: 60_000 } }))).toEqual([]);
  });

  it.each([
    ['kafka.brokers.0', { kafka: { brokers: ['localhost', 'b:9092'] } }],
    ['kafka.brokers.1', { kafka: { brokers: ['a:9092', 'b:0'] } }],
    ['kafka.brokers.0', { kafka: { brokers: ['a:99999'] } }],
    ['redis', { redis: 'redis://:SECRET@localhost:99999' }],
    ['redis.port', { redis: { host: 'localhost', port: 99_999 } }],
  ])('refuse at %s an address that can be none: %j', (path, part) => {
    const found = problems({ ...servers, ...part });
    expect(Object.keys(found)).toEqual([path]);
    expect(JSON.stringify(found)).not.toContain('SECRET');
  });

  it.each([
    ['kafka.brokers', { kafka: { clientId: 'x' } }],
    ['kafka.brokers', { kafka: { brokers: [''] } }],
    ['kafka', { kafka: 'localhost:9092' }],
    ['cassandra.contactPoints', { cassandra: { localDataCenter: 'x' } }],
    ['cassandra.localDataCenter', { cassandra: { contactPoints: ['x'] } }],
    ['redis', { redis: 6379 }],
  ])('say at %s what a connection lacks: %j', (path, part) => {
    expect(Object.keys(problems({ ...servers, ...part }))).toEqual([path]);
  });

  it.each<[string[], object]>([
    [['runtime.blueprnts', 'runtime.middlewares'], { blueprnts: {}, middlewares: [] }],
    [['runtime.middleware'], { middleware: { beforeNode: async () => undefined } }],
    [['runtime.middleware.1'], { middleware: [{}, { aroundNode: true }] }],
    [['runtime.serializer'], { serializer: {} }],
    [['runtime.serializer'], { serializer: { serialize: String } }],
    [['runtime.evaluator'], { evaluator: () => true }],
    [['runtime.eventBus'], { eventBus: { on: () => undefined } }],
    [['runtime.logger'], { logger: { log: () => undefined } }],
    [['runtime.registry'], { registry: new Map([['a', async () => ({})]]) }],
    [['runtime.blueprints', 'runtime.dependencies'], { blueprints: [], dependencies: new Map() }],
    [['runtime'], { has: () => false, resolve: () => undefined, register: () => undefined }],
  ])('say at %j what is wrong with the runtime', (paths, runtime) => {
    expect(Object.keys(problems({ ...servers, runtime })).sort()).toEqual(paths);
  });

  it("take all of flowcraft's options, and undefined for each", () => {
    const runtime = {
      registry: {},
      blueprints: {},
      dependencies: {},
      logger: new NullLogger(),
      eventBus: { emit: () => undefined },
      evaluator: new PropertyEvaluator(),
      serializer: new JsonSerializer(),
      middleware: [{ beforeNode: () => undefined }],
      strict: true,
    };
    expect(problems({ ...servers, runtime })).toEqual({});
    const none = Object.fromEntries(Object.keys(runtime).map((name) => [name, undefined]));
    expect(problems({ ...servers, runtime: none })).toEqual({});
  });

  it('refuse names in the tuning of a driver that nobody reads, and pass those of the consumer on to kafkajs', () => {
    const tuning = {
      kafka: { lingerMS: 5, consumer: { rackId: 'a', later: 1 } },
      cassandra: { consitency: 6 },
      redis: { prefix: 'x', commandTimeoutMs: 0 },
    };
    expect(Object.keys(problems({ ...servers, tuning })).sort()).toEqual([
      'tuning.cassandra.consitency',
      'tuning.kafka.lingerMS',
      'tuning.redis.commandTimeoutMs',
      'tuning.redis.prefix',
    ]);
    const right = {
      kafka: { lingerMs: 0, topicConfig: { 'min.insync.replicas': '2' }, consumer: { maxBytes: 1 } },
      cassandra: { consistency: 6 },
      redis: { runTtlMs: 90 * 86_400_000 },
    };
    expect(problems({ ...servers, tuning: right })).toEqual({});
  });

  it('refuse a container whose parts can be none, when the application starts', async () => {
    const runtime = new DIContainer();
    runtime.register(ServiceTokens.Middleware, { aroundNode: async () => ({}) });
    runtime.registerFactory(ServiceTokens.Serializer, () => ({}));
    const root = rootModule([FlowcraftKafkaModule.forRoot({ embedded: true, runtime })]);
    const app = await builderOf(root, new RecordingLogger()).compile();
    const error: unknown = await app.init().catch((reason: unknown) => reason);
    expect((error as ConfigurationError).problems.map(({ path }) => path)).toEqual([
      'runtime.serializer',
      'runtime.middleware',
    ]);
  });

  it('take ready instances, cloud bundles and a DI container', async () => {
    const cassandra = new Client(servers.cassandra);
    const kafka = new Kafka({ brokers: ['localhost:9092'], logLevel: logLevel.NOTHING });
    expect(problems({ kafka, cassandra, redis: { host: 'localhost' }, runtime: new DIContainer() })).toEqual({});
    expect(problems({ ...servers, cassandra: { cloud: { secureConnectBundle: '/x.zip' } } })).toEqual({});
    expect(problems({ ...servers, kafka: { brokers: () => ['localhost:9092'] } })).toEqual({});
    await cassandra.shutdown();
  });

  it.each([
    [['encryption'], 'a key'],
    [['encryption.keys', 'encryption.activeKeyId'], {}],
    [['encryption.activeKeyId'], { keys: { k: 'A'.repeat(43) }, activeKeyId: 'other' }],
    [['encryption.activeKeyId'], { keys: { k: 'A'.repeat(43) }, activeKeyId: 'toString' }],
    [['encryption.keys.k'], { keys: { k: 'too-short-SECRET' }, activeKeyId: 'k' }],
    [['encryption.keys.k'], { keys: { k: Buffer.alloc(16) }, activeKeyId: 'k' }],
    [['encryption.keys.a:b'], { keys: { 'a:b': 'A'.repeat(43) }, activeKeyId: 'a:b' }],
    [['encryption.key'], { keys: { k: 'A'.repeat(43) }, activeKeyId: 'k', key: 'x' }],
    [['encryption.acceptPlaintext'], { keys: { k: 'A'.repeat(43) }, activeKeyId: 'k', acceptPlaintext: 'yes' }],
  ])('say at %j what is wrong with the keys, and tell none of them', (paths, encryption) => {
    const found = problems({ ...servers, encryption });
    expect(Object.keys(found)).toEqual(paths);
    expect(JSON.stringify(found)).not.toContain('SECRET');
  });

  it.each([
    [['webhooks'], true],
    [['webhooks.baseUrl'], { baseUrl: 'api.example.com' }],
    [['webhooks.baseUrl'], { baseUrl: 'ftp://api.example.com' }],
    [['webhooks.baseUrl'], { baseUrl: 'https://api.example.com/?a=1' }],
    [['webhooks.path', 'webhooks.ttlSeconds'], { path: '/hooks/', ttlSeconds: 0 }],
    [['webhooks.path'], { path: 'hooks/:id' }],
    [['webhooks.maxBodyBytes', 'webhooks.mount', 'webhooks.url'], { maxBodyBytes: 1.5, mount: 'yes', url: 'x' }],
    [['webhooks.hmac.secret'], { hmac: {} }],
    [['webhooks.hmac.secret'], { hmac: { secret: 'SECRET' } }],
    [['webhooks.hmac.secret'], { hmac: { secret: [] } }],
    [
      ['webhooks.hmac.algorithm', 'webhooks.hmac.header', 'webhooks.hmac.toleranceSeconds'],
      { hmac: { secret: 'SECRET'.repeat(4), algorithm: 'md5', header: 'a b', toleranceSeconds: -1 } },
    ],
  ])('say at %j what is wrong with the webhooks, and tell no secret', (paths, webhooks) => {
    const found = problems({ ...servers, webhooks });
    expect(Object.keys(found).sort()).toEqual(paths);
    expect(JSON.stringify(found)).not.toContain('SECRET');
  });

  it('mount webhooks when there are options for them', () => {
    const { mount, path, maxBodyBytes } = DEFAULT_OPTIONS.webhooks;
    expect(settingsOf(servers).webhooks).toEqual({ mount: false, path, maxBodyBytes });
    expect(settingsOf({ ...servers, webhooks: {} }).webhooks).toEqual({ mount, path, maxBodyBytes });
    const hmac = { secret: 'x'.repeat(16), header: 'X-Hub-Signature' };
    const { webhooks, engine } = settingsOf({ ...servers, webhooks: { baseUrl: 'https://a.example/b', hmac } });
    expect(webhooks.hmac).toEqual({
      ...DEFAULT_OPTIONS.webhooks.hmac,
      header: 'X-Hub-Signature',
      secrets: [hmac.secret],
    });
    expect(engine.webhooks).toEqual({ baseUrl: 'https://a.example/b', path, ttlSeconds: 604_800 });
  });

  it('take keys as bytes, as text, or from a function', () => {
    const encryption = { keys: { a: Buffer.alloc(32), b: Buffer.alloc(32).toString('base64') }, activeKeyId: 'b' };
    expect(problems({ ...servers, encryption })).toEqual({});
    expect(problems({ embedded: true, encryption: () => encryption })).toEqual({});
  });

  it.each([undefined, null, 'embedded', 5, []])('must be an object, not %s', (options) => {
    expect(Object.keys(problems(options))).toEqual(['(options)']);
  });

  it('stop the start of the application with one error that lists everything', async () => {
    const root = rootModule([FlowcraftKafkaModule.forRoot({ worker: { concurrency: 0 } })]);
    const error: unknown = await builderOf(root, new RecordingLogger())
      .compile()
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as ConfigurationError).problems.map((p) => p.path)).toEqual([
      'kafka',
      'cassandra',
      'redis',
      'worker.concurrency',
    ]);
  });
});
