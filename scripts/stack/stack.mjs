#!/usr/bin/env node
/** Command line of the stack: Kafka, Cassandra and Redis for development and tests. */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { down, reset, restartServer, startServer, status, stopServer, up } from './commands.mjs';
import { StackError } from './errors.mjs';
import { result } from './output.mjs';
import { readSettings, SERVER_NAMES } from './settings.mjs';

const USAGE = `Usage: node scripts/stack/stack.mjs <command>

  up                          start all servers, keep their data
  down                        stop all servers, keep their data
  status                      show the servers, exit code 1 if one is not up
  reset                       stop all servers and remove their data
  start   <server>            start one server: ${SERVER_NAMES.join(', ')}
  stop    <server> [--kill]   stop one server, with --kill by SIGKILL
  restart <server> [--kill]   stop and start one server

Environment:
  FLOWCRAFT_STACK=docker|local   containers or local processes (default: Docker if it answers)
  STACK_DIR                      directory of local processes and their data (default: .stack)
  STACK_KAFKA_PORT, STACK_CASSANDRA_PORT, STACK_REDIS_PORT   (default: 9092, 9042, 6379)
  STACK_KAFKA_HEAP, STACK_CASSANDRA_HEAP, STACK_REDIS_MAXMEMORY (default: 512m, 1g, 512mb)
`;

const WHOLE_STACK = { up, down, status, reset };
const ONE_SERVER = { start: startServer, stop: stopServer, restart: restartServer };

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof StackError ? error.message : error.stack}\n`);
  process.exitCode = 1;
}

async function main(argv) {
  const { command, server, options } = readArguments(argv);
  if (options.help) {
    result(USAGE);
    return 0;
  }
  const settings = readSettings(process.env);
  const good = await (ONE_SERVER[command]
    ? ONE_SERVER[command](settings, server, options)
    : WHOLE_STACK[command](settings));
  return good === false ? 1 : 0;
}

function readArguments(argv) {
  let parsed;
  try {
    parsed = parseArgs({
      args: argv,
      allowPositionals: true,
      options: { kill: { type: 'boolean' }, help: { type: 'boolean' } },
    });
  } catch (error) {
    throw new StackError(`${error.message}\n\n${USAGE}`);
  }
  const { positionals, values: options } = parsed;
  const [command, server] = positionals;
  const problem = options.help ? undefined : describeMisuse(positionals, options);
  if (problem) throw new StackError(`${problem}\n\n${USAGE}`);
  return { command, server, options };
}

function describeMisuse([command, server, ...rest], { kill }) {
  if (command === undefined) return 'No command given.';
  const takesServer = Object.hasOwn(ONE_SERVER, command);
  if (!takesServer && !Object.hasOwn(WHOLE_STACK, command)) return `Unknown command: ${command}.`;
  if (takesServer && !SERVER_NAMES.includes(server)) return `${command} needs one of: ${SERVER_NAMES.join(', ')}.`;
  if (rest.length > 0 || (!takesServer && server !== undefined)) return `Too many arguments for ${command}.`;
  if (kill && (!takesServer || command === 'start')) return `--kill goes with stop and restart of one server.`;
  return undefined;
}
