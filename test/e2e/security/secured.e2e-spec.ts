import { inspect } from 'node:util';
import { Client } from 'cassandra-driver';
import { Redis } from 'ioredis';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
  type SASLOptions,
} from 'kafkajs';
import {
  ErrorCode,
  FlowcraftClient,
  FlowcraftHealth,
  FlowcraftKafkaModule,
  type FlowcraftKafkaOptions,
} from '../../../src/index.js';
import { builderOf, rootModule } from '../../support/nest-app.js';
import { RecordingLogger, type LogLine } from '../../support/recording-logger.js';
import { SecuredServers, type SecuredPlaces } from './secured-servers.js';
import { blueprints, registry, runOneOfEach } from './whole-workflow.js';

const NAME = 'secured';
/** What docs/security.md says that the account needs in Redis. */
const REDIS_RIGHTS = [
  `~${NAME}:*`,
  `&${NAME}:*`,
  ...['+auth', '+hello', '+ping', '+quit', '+select', '+client|setname', '+info'],
  ...['+eval', '+evalsha', '+publish', '+subscribe', '+time'],
  ...['+get', '+set', '+del', '+exists', '+incr', '+expire', '+pexpire'],
  ...['+hget', '+hmget', '+hgetall', '+hset', '+hexists', '+zadd', '+zrem', '+zrange', '+zrangebyscore'],
];

let servers: SecuredServers;
let places: SecuredPlaces;
const closing: (() => Promise<unknown>)[] = [];

const ssl = () => ({ ca: [places.ca] });
const brokers = () => [`${places.host}:${places.ports.kafka}`];
const plain = (who: 'admin' | 'app'): SASLOptions => ({ mechanism: 'plain', ...places.accounts.kafka[who] });
const contactPoint = () => `${places.host}:${places.ports.cassandra}`;
const cassandraOptions = (who: 'admin' | 'app') => ({
  contactPoints: [contactPoint()],
  localDataCenter: places.dataCentre,
  credentials: places.accounts.cassandra[who],
  sslOptions: { ...ssl(), host: places.host },
});
const redisOptions = (who: 'admin' | 'app') => ({
  host: places.host,
  port: places.ports.redis,
  ...places.accounts.redis[who],
  tls: ssl(),
});

/** Verifies what administrators have made; the account of the application may create nothing. */
function options(part: Partial<FlowcraftKafkaOptions> = {}): FlowcraftKafkaOptions {
  return {
    kafka: { brokers: brokers(), ssl: ssl(), sasl: plain('app'), connectionTimeout: 5000 },
    cassandra: cassandraOptions('app'),
    redis: redisOptions('app'),
    topicName: NAME,
    groupId: NAME,
    keyspace: NAME,
    redisKeyPrefix: NAME,
    provision: { topic: 'verify', keyspace: 'verify', tables: 'verify' },
    reconciler: { enabled: false },
    runtime: { blueprints, registry },
    ...part,
  };
}

async function start(given: FlowcraftKafkaOptions) {
  const logger = new RecordingLogger();
  const app = await builderOf(rootModule([FlowcraftKafkaModule.forRoot(given)]), logger).compile();
  closing.push(() => app.close());
  await app.init();
  return { app, client: app.get(FlowcraftClient), logger };
}

beforeAll(async () => {
  servers = await SecuredServers.start();
  ({ places } = servers);
  await Promise.all([grantInKafka(), grantInCassandra()]);
}, 180_000);

afterAll(() => servers?.stop(), 30_000);

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
}, 60_000);

describe('on servers with TLS, accounts and rights', () => {
  it('a whole workflow runs with exactly the rights of docs/security.md', async () => {
    const admin = await grantInRedis();
    const { client, logger, app } = await start(options());
    await runOneOfEach(client);
    expect(app.get(FlowcraftHealth).check().status).toBe('up');
    // the broker has just been started
    const loading = (line: LogLine) => /coordinator is loading/.test(inspect(line, { depth: 4 }));
    const warnings = logger.lines.filter(({ level }) => level !== 'debug' && level !== 'log');
    expect(warnings.filter((line) => !loading(line))).toEqual([]);
    // all that was refused to the account; CONFIG is not among its rights, and not needed
    const refused = (await admin.call('ACL', 'LOG')) as unknown[][];
    const commands = refused.map((entry) => entry[entry.indexOf('object') + 1]);
    expect(commands.filter((command) => command !== 'config|get')).toEqual([]);
    const secrets = [places.accounts.kafka, places.accounts.cassandra, places.accounts.redis].map(
      (a) => a.app.password,
    );
    const told = inspect(logger.lines, { depth: 9 });
    for (const secret of secrets) expect(told).not.toContain(secret);
  }, 90_000);

  it.each([
    ['scram-sha-256', () => ({ mechanism: 'scram-sha-256' as const, ...places.accounts.kafka.app })],
    ['scram-sha-512', () => ({ mechanism: 'scram-sha-512' as const, ...places.accounts.kafka.app })],
    [
      'oauthbearer',
      () => ({
        mechanism: 'oauthbearer' as const,
        oauthBearerProvider: async () => ({ value: unsignedToken(places.accounts.kafka.app.username) }),
      }),
    ],
  ])(
    'Kafka takes %s',
    async (_mechanism, sasl) => {
      await grantInRedis();
      const kafka = { brokers: brokers(), ssl: ssl(), sasl: sasl(), connectionTimeout: 5000 };
      const { client } = await start(options({ kafka }));
      await runOneOfEach(client);
    },
    90_000,
  );

  it.each([
    [
      'kafka',
      () => ({
        kafka: {
          brokers: brokers(),
          ssl: ssl(),
          sasl: { ...plain('app'), password: WRONG } as SASLOptions,
          connectionTimeout: 5000,
        },
      }),
    ],
    ['kafka', () => ({ kafka: { brokers: brokers(), ssl: true, sasl: plain('app'), connectionTimeout: 5000 } })],
    [
      'cassandra',
      () => ({ cassandra: { ...cassandraOptions('app'), credentials: { username: 'app', password: WRONG } } }),
    ],
    [
      'cassandra',
      () => ({
        cassandra: { ...cassandraOptions('app'), sslOptions: { host: places.host } },
      }),
    ],
    ['redis', () => ({ redis: { ...redisOptions('app'), password: WRONG } })],
    ['redis', () => ({ redis: { ...redisOptions('app'), tls: {} } })],
  ])(
    'a wrong password, or a certificate of an unknown authority, ends the start with an error of %s and tells no secret',
    async (_server, part) => {
      await grantInRedis();
      const logger = new RecordingLogger();
      const root = rootModule([FlowcraftKafkaModule.forRoot(options({ ...part(), connectTimeoutMs: 3000 }))]);
      const error: unknown = await builderOf(root, logger)
        .compile()
        .then(
          () => undefined,
          (reason: unknown) => reason,
        );
      expect(error).toMatchObject({ code: ErrorCode.ConnectFailed });
      const told = inspect([error, logger.lines], { depth: 12, showHidden: true });
      for (const secret of [
        WRONG,
        places.accounts.kafka.app.password,
        places.accounts.cassandra.app.password,
        places.accounts.redis.app.password,
      ])
        expect(told).not.toContain(secret);
    },
    60_000,
  );
});

const WRONG = 'wr0ng-P4SSWORD';

/** As a test issuer writes it, for brokers that take tokens without a signature. */
function unsignedToken(subject: string): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  return `${encode({ alg: 'none' })}.${encode({ sub: subject, iat: now, exp: now + 3600 })}.`;
}

/** Topics by an administrator; the account of the application reads and writes them in its group. */
async function grantInKafka(): Promise<void> {
  const kafka = new Kafka({
    brokers: brokers(),
    ssl: ssl(),
    sasl: plain('admin'),
    connectionTimeout: 5000,
    logLevel: logLevel.NOTHING,
  });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [NAME, `${NAME}.dead`].map((topic) => ({ topic, numPartitions: 2 })) });
  const rule = {
    principal: `User:${places.accounts.kafka.app.username}`,
    host: '*',
    permissionType: AclPermissionTypes.ALLOW,
    resourcePatternType: ResourcePatternTypes.LITERAL,
  };
  const topic = (resourceName: string, operation: AclOperationTypes) => ({
    ...rule,
    resourceType: AclResourceTypes.TOPIC,
    resourceName,
    operation,
  });
  await admin.createAcls({
    acl: [
      topic(NAME, AclOperationTypes.READ),
      topic(NAME, AclOperationTypes.WRITE),
      topic(`${NAME}.dead`, AclOperationTypes.WRITE),
      { ...rule, resourceType: AclResourceTypes.GROUP, resourceName: NAME, operation: AclOperationTypes.READ },
    ],
  });
  await admin.disconnect();
}

/** Keyspace and tables by an administrator, through the module itself; the account may read and write them. */
async function grantInCassandra(): Promise<void> {
  const admin = new Client({ ...cassandraOptions('admin'), socketOptions: { readTimeout: 30_000 } });
  await untilConnected(admin);
  const { CassandraRunStore } = await import('../../../src/drivers/cassandra/cassandra-run-store.js');
  const store = new CassandraRunStore({ source: admin, keyspace: NAME }, new RecordingLogger());
  await store.connect();
  await store.provision();
  const { username, password } = places.accounts.cassandra.app;
  await admin.execute(`CREATE ROLE ${username} WITH PASSWORD = '${password}' AND LOGIN = true`);
  for (const right of ['SELECT', 'MODIFY']) await admin.execute(`GRANT ${right} ON KEYSPACE ${NAME} TO ${username}`);
  await admin.shutdown();
}

/** Cassandra makes its first account some time after it answers. */
async function untilConnected(client: Client): Promise<void> {
  const end = Date.now() + 60_000;
  for (;;) {
    try {
      return await client.connect();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

async function grantInRedis(): Promise<Redis> {
  const admin = new Redis(redisOptions('admin'));
  closing.push(() => admin.quit());
  const { username, password } = places.accounts.redis.app;
  await admin.call('ACL', 'SETUSER', username, 'reset', 'on', `>${password}`, ...REDIS_RIGHTS);
  await admin.call('ACL', 'LOG', 'RESET');
  return admin;
}
