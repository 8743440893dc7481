/**
 * Small servers with TLS, accounts and rights, as a production cluster has them, for as long as this process is wanted:
 * started from the artifacts of the stack, and gone with everything they made when standard input ends.
 *
 * Prints one line of JSON when all three answer: where they are, and the accounts of each.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { createCassandra } from '../stack/cassandra.mjs';
import { StackError } from '../stack/errors.mjs';
import { ensureJava } from '../stack/java.mjs';
import { createKafka } from '../stack/kafka.mjs';
import { result } from '../stack/output.mjs';
import { ensureRedisProgram } from '../stack/redis.mjs';
import { DATACENTER, HOST, readSettings } from '../stack/settings.mjs';
import { makeCertificates } from './certificates.mjs';

const READY_TIMEOUT_MS = 120_000;
/** The name that the certificates are for. */
const NAME = 'localhost';

const dir = mkdtempSync(path.join(tmpdir(), 'flowcraft-secured-'));
const children = [];

try {
  const ended = once(process.stdin.resume(), 'end');
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => process.stdin.destroy());
  const closed = once(process.stdin, 'close');
  result(JSON.stringify(await start()));
  await Promise.race([ended, closed]);
} finally {
  await Promise.all(children.map((child) => stop(child)));
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
}
process.exit(0);

async function start() {
  const stack = readSettings(process.env);
  const [kafka, kafkaController, cassandra, cassandraStorage, cassandraJmx, redis] = await freePorts(6);
  const ports = { kafka, kafkaController, cassandra, cassandraStorage, cassandraJmx, redis };
  const password = () => randomBytes(18).toString('base64url');
  const accounts = {
    kafka: { admin: { username: 'admin', password: password() }, app: { username: 'app', password: password() } },
    // Cassandra begins with this one
    cassandra: {
      admin: { username: 'cassandra', password: 'cassandra' },
      app: { username: 'app', password: password() },
    },
    redis: { admin: { username: 'admin', password: password() }, app: { username: 'app', password: password() } },
  };
  const keystorePassword = password();
  const certificates = await makeCertificates(dir, keystorePassword);
  const settings = {
    ...stack,
    dir,
    jarsDir: stack.dir,
    ports,
    kafkaHeap: '256m',
    cassandraHeap: '512m',
    additions: {
      kafka: kafkaAdditions(ports, accounts.kafka, { ...certificates, password: keystorePassword }),
      cassandra: cassandraAdditions({ ...certificates, password: keystorePassword }),
    },
  };
  const tools = await ensureJava(settings);
  await ensureRedisProgram();
  const servers = [createKafka(settings), createCassandra(settings)];
  await Promise.all(
    servers.map(async (server) => {
      await server.install(tools);
      await server.configure(tools);
      launch(server.name, server.command(tools));
    }),
  );
  launch('redis', redisCommand(redis, accounts.redis, certificates));
  await Promise.all([answers('kafka', kafka), answers('cassandra', cassandra), answers('redis', redis)]);
  return { host: NAME, ports, dataCentre: DATACENTER, accounts, ca: readFileSync(certificates.ca, 'utf8') };
}

function kafkaAdditions(ports, { admin, app }, { keystore, password }) {
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
  const users = `user_${admin.username}="${admin.password}" user_${app.username}="${app.password}"`;
  const scram = (mechanism, { username, password: own }) => [
    '--add-scram',
    `${mechanism}=[name=${username},password=${own}]`,
  ];
  return {
    formatArgs: [...scram('SCRAM-SHA-256', app), ...scram('SCRAM-SHA-512', app)],
    properties: `
listeners=SASL_SSL://${HOST}:${ports.kafka},CONTROLLER://${HOST}:${ports.kafkaController}
advertised.listeners=SASL_SSL://${NAME}:${ports.kafka}
listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=SASL_SSL
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl_ssl.plain.sasl.jaas.config=${plain} username="${admin.username}" password="${admin.password}" ${users};
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="${admin.username}";
ssl.keystore.type=PKCS12
ssl.keystore.location=${keystore}
ssl.keystore.password=${password}
ssl.key.password=${password}
ssl.truststore.type=PKCS12
ssl.truststore.location=${keystore}
ssl.truststore.password=${password}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:${admin.username};User:ANONYMOUS
`,
  };
}

function cassandraAdditions({ keystore, password }) {
  return {
    yaml: `
authenticator: PasswordAuthenticator
authorizer: CassandraAuthorizer
role_manager: CassandraRoleManager
client_encryption_options:
  enabled: true
  optional: false
  keystore: ${keystore}
  keystore_password: ${password}
  store_type: PKCS12
  require_client_auth: false
`,
    args: ['-Dcassandra.superuser_setup_delay_ms=0', '-Dcassandra.auth_bcrypt_gensalt_log2_rounds=4'],
  };
}

/** The account of the application gets its rights from the test. */
function redisCommand(port, { admin, app }, { ca, key, certificate }) {
  const acl = path.join(dir, 'users.acl');
  writeFileSync(
    acl,
    `user default off\nuser ${admin.username} on >${admin.password} ~* &* +@all\nuser ${app.username} on >${app.password} -@all\n`,
  );
  const tls = [
    '--tls-port',
    String(port),
    '--tls-cert-file',
    certificate,
    '--tls-key-file',
    key,
    '--tls-ca-cert-file',
    ca,
  ];
  const none = ['--port', '0', '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction'];
  return {
    command: 'redis-server',
    args: [...none, ...tls, '--tls-auth-clients', 'no', '--bind', HOST, '--dir', dir, '--aclfile', acl],
  };
}

function launch(name, { command, args }) {
  mkdirSync(dir, { recursive: true });
  const file = path.join(dir, `${name}.log`);
  const log = openSync(file, 'a');
  const child = spawn(command, args, { cwd: dir, stdio: ['ignore', log, log] });
  closeSync(log);
  children.push(child);
  child.on('error', (error) => process.stderr.write(`${name}: ${error.message}\n`));
}

async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL'); // nothing of it is wanted any more
  await exit;
}

async function answers(name, port) {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (!(await handshakes(port))) {
    if (Date.now() > deadline || children.some((child) => child.exitCode !== null)) {
      const log = readFileSync(path.join(dir, `${name}.log`), 'utf8')
        .split('\n')
        .slice(-60)
        .join('\n');
      throw new StackError(`${name} does not answer. End of its log:\n${log}`);
    }
    await sleep(200);
  }
}

/** Whoever starts these servers checks the certificates; here it only matters that there is one. */
function handshakes(port) {
  return new Promise((resolve) => {
    const socket = connectTls({ host: HOST, port, rejectUnauthorized: false });
    const finish = (good) => {
      socket.destroy();
      resolve(good);
    };
    socket.setTimeout(2_000, () => finish(false));
    socket.on('secureConnect', () => finish(true));
    socket.on('error', () => finish(false));
    socket.on('close', () => finish(false));
  });
}

/** All are held until all are known, so that they differ. */
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, HOST));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
