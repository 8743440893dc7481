/** Redis as a local process: every write in the append-only file, nothing evicted. */
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { aptInstall, canInstall } from './apt.mjs';
import { StackError } from './errors.mjs';
import { redisAnswers } from './health.mjs';
import { findProgram, run } from './run.mjs';
import { HOST } from './settings.mjs';

const PROGRAM = 'redis-server';

export function createRedis(settings) {
  const port = settings.ports.redis;
  const dir = path.join(settings.dir, 'redis');
  const dataDir = path.join(dir, 'data');

  return {
    name: 'redis',
    dir,
    dataDir,
    port,
    ports: [{ port, purpose: 'clients', variable: 'STACK_REDIS_PORT' }],
    isReady: () => redisAnswers(port),

    async configure() {
      mkdirSync(dataDir, { recursive: true });
    },

    command: () => ({
      command: PROGRAM,
      args: [
        ...['--bind', HOST],
        ...['--port', String(port)],
        ...['--dir', dataDir],
        ...['--save', ''],
        ...['--appendonly', 'yes'],
        ...['--maxmemory', settings.redisMaxMemory],
        ...['--maxmemory-policy', 'noeviction'],
        ...['--daemonize', 'no'],
      ],
    }),
  };
}

export async function ensureRedisProgram() {
  if (findProgram(PROGRAM)) return;
  if (!canInstall()) {
    throw new StackError(
      `${PROGRAM} is not on PATH. Install it (Debian: apt-get install redis-server, macOS: brew install redis), or start Docker.`,
    );
  }
  await aptInstall([PROGRAM]);
  // Where systemd runs, the packaged service would take the port at the next boot.
  if (existsSync('/run/systemd/system')) await run('systemctl', ['disable', '--now', PROGRAM]);
  if (!findProgram(PROGRAM)) throw new StackError(`apt-get installed ${PROGRAM}, but it is not on PATH. Check PATH.`);
}
