/** The stack as containers, described by docker-compose.yml. */
import path from 'node:path';
import process from 'node:process';
import { StackError } from './errors.mjs';
import { cassandraAnswers, kafkaAnswers, redisAnswers } from './health.mjs';
import { run } from './run.mjs';
import { ROOT, SERVER_NAMES } from './settings.mjs';

const ANSWER_TIMEOUT_MS = 5_000;
const ANSWERS = { kafka: kafkaAnswers, cassandra: cassandraAnswers, redis: redisAnswers };

/** Undefined when an engine answers and compose is there, otherwise what is wrong. */
export async function describeDockerProblem() {
  const info = await run('docker', ['info'], { timeoutMs: ANSWER_TIMEOUT_MS });
  if (info.timedOut) return `docker info gave no answer within ${ANSWER_TIMEOUT_MS / 1000} s`;
  if (info.code !== 0) return lastLine(info.output);
  const compose = await run('docker', ['compose', 'version'], { timeoutMs: ANSWER_TIMEOUT_MS });
  return compose.code === 0 ? undefined : 'the compose plugin (docker compose) is missing';
}

export function createDockerStack(settings) {
  const env = {
    ...process.env,
    STACK_KAFKA_PORT: String(settings.ports.kafka),
    STACK_CASSANDRA_PORT: String(settings.ports.cassandra),
    STACK_REDIS_PORT: String(settings.ports.redis),
  };
  const project = settings.composeProject ? ['-p', settings.composeProject] : [];
  const base = ['compose', '-f', path.join(ROOT, 'docker-compose.yml'), ...project];
  const call = (args, options) => run('docker', [...base, ...args], { env, cwd: ROOT, ...options });

  async function compose(args) {
    const { code } = await call(args, { show: true });
    if (code !== 0) throw new StackError(`docker compose ${args.join(' ')} failed (exit code ${code}), see above.`);
  }

  return {
    mode: 'docker',

    async start(names) {
      const waitSeconds = String(Math.ceil(settings.readyTimeoutMs / 1000));
      const { code } = await call(['up', '-d', '--wait', '--wait-timeout', waitSeconds, ...names], { show: true });
      if (code === 0) return;
      const logs = await call(['logs', '--no-color', '--tail', '40', ...names]);
      throw new StackError(
        `docker compose up failed (exit code ${code}). Logs of the containers:\n${logs.output.trim()}\n` +
          `If a port is taken, choose another: STACK_KAFKA_PORT, STACK_CASSANDRA_PORT, STACK_REDIS_PORT.`,
      );
    },

    async stop(names, { kill = false } = {}) {
      const running = (await containers(call)).filter(({ State }) => State === 'running').map(({ Service }) => Service);
      const chosen = names.filter((name) => running.includes(name));
      if (chosen.length === 0) return;
      const grace = String(Math.ceil(settings.stopGraceMs / 1000));
      await compose(kill ? ['kill', '-s', 'SIGKILL', ...chosen] : ['stop', '-t', grace, ...chosen]);
    },

    clearData: () => compose(['down', '--volumes']),

    async status() {
      const found = await containers(call);
      return Promise.all(
        SERVER_NAMES.map(async (name) => {
          const port = settings.ports[name];
          const container = found.find(({ Service }) => Service === name);
          const runs = container?.State === 'running';
          const up = runs && (await ANSWERS[name](port));
          const state = up ? 'up' : runs ? 'not answering' : 'down';
          return { name, up, state, process: container?.Name ?? '-', port };
        }),
      );
    },
  };
}

/** Older versions of compose print one JSON array, newer ones an object a line. */
async function containers(call) {
  const { code, stdout, output } = await call(['ps', '--all', '--format', 'json']);
  if (code !== 0) throw new StackError(`docker compose ps failed (exit code ${code}):\n${output.trim()}`);
  return stdout
    .split('\n')
    .filter((line) => line.trim() !== '')
    .flatMap((line) => JSON.parse(line));
}

function lastLine(text) {
  return text.trim().split('\n').at(-1) || 'docker info failed without a word';
}
