/** CPU time of the servers that `npm run stack:up` started on this machine; nothing where they run elsewhere. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';

const MICROS_PER_TICK = 10_000;

async function pidOf(server) {
  const dir = path.resolve(import.meta.dirname, '..', process.env.STACK_DIR || '.stack', 'run');
  try {
    return JSON.parse(await readFile(path.join(dir, `${server}.json`), 'utf8')).pid;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Microseconds of user and system time since the start of each server. */
export async function serverCpu() {
  const used = {};
  for (const server of ['kafka', 'cassandra', 'redis']) {
    const pid = await pidOf(server);
    const stat = pid === undefined ? undefined : await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
    if (stat === undefined) continue;
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    used[server] = (Number(fields[11]) + Number(fields[12])) * MICROS_PER_TICK;
  }
  return used;
}

export function since(before, now) {
  return Object.fromEntries(Object.entries(now).map(([name, value]) => [name, value - (before[name] ?? 0)]));
}
