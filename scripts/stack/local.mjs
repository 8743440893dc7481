/** The stack as processes of this machine, below STACK_DIR. */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { createCassandra } from './cassandra.mjs';
import { StackError } from './errors.mjs';
import { waitUntilReady } from './health.mjs';
import { ensureJava } from './java.mjs';
import { createKafka } from './kafka.mjs';
import { progress, seconds } from './output.mjs';
import { assertPortsFree, isPortTaken } from './ports.mjs';
import { findRunning, isAlive, spawnDetached, stopProcess, tailOf } from './processes.mjs';
import { createRedis, ensureRedisProgram } from './redis.mjs';

export function createLocalStack(settings) {
  if (process.platform === 'win32') {
    throw new StackError('The servers run as local processes on Linux and macOS only. Start Docker and try again.');
  }
  const servers = [createKafka(settings), createCassandra(settings), createRedis(settings)];
  const select = (names) => servers.filter(({ name }) => names.includes(name));
  const logFile = ({ name }) => path.join(settings.logDir, `${name}.log`);
  const pidFile = ({ name }) => path.join(settings.runDir, `${name}.json`);

  /** Installs what is missing for the given servers; the jars of both Java servers come at the same time. */
  async function install(chosen) {
    if (chosen.some(({ name }) => name === 'redis')) await ensureRedisProgram();
    const javaServers = chosen.filter((server) => server.install);
    if (javaServers.length === 0) return {};
    const tools = await ensureJava(settings);
    await inParallel(javaServers, (server) => server.install(tools));
    return tools;
  }

  async function launch(server, tools) {
    await assertPortsFree(server.name, server.ports);
    await server.configure(tools);
    const record = await spawnDetached({
      ...server.command(tools),
      cwd: server.dir,
      logFile: logFile(server),
      pidFile: pidFile(server),
      details: { port: server.port },
    });
    progress(`${server.name}: started (pid ${record.pid}, log ${path.relative(process.cwd(), logFile(server))})`);
    return record;
  }

  async function untilReady(server, record) {
    const startedAt = Date.now();
    const ready = await waitUntilReady({
      isReady: server.isReady,
      isAlive: () => isAlive(record),
      timeoutMs: settings.readyTimeoutMs,
    });
    if (!ready) {
      const cause = isAlive(record)
        ? `does not answer on port ${server.port} after ${seconds(startedAt)} (pid ${record.pid} still runs)`
        : `ended while starting, after ${seconds(startedAt)}`;
      throw new StackError(`${server.name} ${cause}. End of ${logFile(server)}:\n${tailOf(logFile(server), record)}`);
    }
    return seconds(startedAt);
  }

  async function startOne(server, running, tools) {
    const took = await untilReady(server, running ?? (await launch(server, tools)));
    progress(`${server.name}: ${running ? 'already running' : `ready in ${took}`} on port ${server.port}`);
  }

  return {
    mode: 'local',

    async start(names) {
      const chosen = select(names).map((server) => ({ server, running: findRunning(pidFile(server)) }));
      for (const { server, running } of chosen) {
        if (running) assertSamePort(server, running);
        else await assertPortsFree(server.name, server.ports);
      }
      mkdirSync(settings.dir, { recursive: true });
      const tools = await install(chosen.filter(({ running }) => !running).map(({ server }) => server));
      await inParallel(chosen, ({ server, running }) => startOne(server, running, tools));
    },

    async stop(names, { kill = false } = {}) {
      await inParallel(select(names), async (server) => {
        const startedAt = Date.now();
        const outcome = await stopProcess(pidFile(server), { kill, graceMs: settings.stopGraceMs });
        progress(`${server.name}: ${outcome === 'absent' ? 'not running' : `${outcome} in ${seconds(startedAt)}`}`);
      });
    },

    async clearData() {
      for (const server of servers) {
        const existed = existsSync(server.dataDir);
        rmSync(server.dataDir, { recursive: true, force: true });
        if (existed) progress(`${server.name}: data removed`);
      }
    },

    status: () => Promise.all(servers.map((server) => describe(server, findRunning(pidFile(server))))),
  };
}

async function describe(server, record) {
  const { name, port } = server;
  if (!record) {
    const state = (await isPortTaken(port)) ? 'down, port taken' : 'down';
    return { name, up: false, state, process: '-', port };
  }
  const isOurPort = record.port === port;
  const up = isOurPort && (await server.isReady());
  const state = up ? 'up' : isOurPort ? 'not answering' : 'on another port';
  return { name, up, state, process: `pid ${record.pid}`, port: record.port };
}

function assertSamePort(server, record) {
  if (record.port === server.port) return;
  throw new StackError(
    `${server.name} already runs on port ${record.port}, but port ${server.port} is asked for. ` +
      `Stop it first (stack.mjs stop ${server.name}), or set STACK_DIR for a second stack.`,
  );
}

/** Lets every task come to its end, then reports all failures at once. */
async function inParallel(items, task) {
  const outcomes = await Promise.allSettled(items.map((item) => task(item)));
  const failures = outcomes.filter(({ status }) => status === 'rejected').map(({ reason }) => reason);
  if (failures.length === 0) return;
  const unexpected = failures.find((failure) => !(failure instanceof StackError));
  throw unexpected ?? new StackError(failures.map(({ message }) => message).join('\n\n'));
}
