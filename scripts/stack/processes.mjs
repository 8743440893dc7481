/** Starts servers that outlive this process, remembers them in pid files and stops them again. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { StackError } from './errors.mjs';

const POLL_INTERVAL_MS = 100;
const KILL_WAIT_MS = 10_000;
const LOG_ROTATE_BYTES = 10 * 1024 * 1024;

/** In its own session, with its output in a file, the server does not notice when the terminal closes. */
export async function spawnDetached({ command, args, cwd, logFile, pidFile, details }) {
  mkdirSync(path.dirname(logFile), { recursive: true });
  mkdirSync(path.dirname(pidFile), { recursive: true });
  rotateLog(logFile);
  const log = openSync(logFile, 'a');
  const logStart = fstatSync(log).size;
  let child;
  try {
    child = spawn(command, args, { cwd, detached: true, stdio: ['ignore', log, log] });
    await once(child, 'spawn');
  } catch (error) {
    throw new StackError(`Could not start ${command}: ${error.message}`);
  } finally {
    closeSync(log);
  }
  const record = { ...describeProcess(child.pid), logStart, ...details };
  child.unref();
  writeRecord(pidFile, record);
  return record;
}

/** The remembered process if it still runs, otherwise undefined. */
export function findRunning(pidFile) {
  const record = readRecord(pidFile);
  return record && isAlive(record) ? record : undefined;
}

export function describeProcess(pid) {
  return { pid, identity: identityOf(pid) };
}

/** The system gives pids away again, so the start time has to be the remembered one too. */
export function isAlive(record) {
  return record.identity !== undefined && identityOf(record.pid) === record.identity;
}

/** Returns 'stopped', 'killed' (asked for, or after the grace time), or 'absent' when it did not run. */
export async function stopProcess(pidFile, { kill = false, graceMs }) {
  const record = findRunning(pidFile);
  if (!record) {
    rmSync(pidFile, { force: true });
    return 'absent';
  }
  let outcome = 'stopped';
  if (kill || !(await signalAndWait(record, 'SIGTERM', graceMs))) {
    outcome = 'killed';
    if (!(await signalAndWait(record, 'SIGKILL', KILL_WAIT_MS))) {
      throw new StackError(
        `Process ${record.pid} does not end, not even on SIGKILL. Look at it with: ps -fp ${record.pid}`,
      );
    }
  }
  rmSync(pidFile, { force: true });
  return outcome;
}

/** The last lines that a process wrote to its log. */
export function tailOf(file, { logStart }, lineCount = 40) {
  try {
    const written = readFileSync(file).subarray(logStart).toString('utf8').trim();
    return written ? written.split('\n').slice(-lineCount).join('\n') : '(nothing was written)';
  } catch (error) {
    if (error.code === 'ENOENT') return '(the log is gone)';
    throw error;
  }
}

async function signalAndWait(record, signal, timeoutMs) {
  try {
    process.kill(record.pid, signal);
  } catch (error) {
    if (error.code === 'ESRCH') return true;
    throw new StackError(`May not send ${signal} to process ${record.pid}: ${error.message}`);
  }
  const deadline = Date.now() + timeoutMs;
  while (isAlive(record)) {
    if (Date.now() >= deadline) return false;
    await sleep(POLL_INTERVAL_MS);
  }
  return true;
}

/** Boot and start time of a living process. Undefined for one that is gone or only waits to be reaped. */
function identityOf(pid) {
  return process.platform === 'linux' ? linuxIdentityOf(pid) : psIdentityOf(pid);
}

function linuxIdentityOf(pid) {
  let stat;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return undefined;
    throw error;
  }
  // proc(5): the name in parentheses may hold anything, the state is field 3, the start time field 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  if (state === 'X' || (state === 'Z' && threadCountOf(pid) <= 1)) return undefined;
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${startTime}`;
}

/** The first thread of a process may end, and show as a zombie, while others still hold its files and ports. */
function threadCountOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return 0;
    throw error;
  }
}

function psIdentityOf(pid) {
  try {
    const [state, ...startTime] = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], { encoding: 'utf8' })
      .trim()
      .split(/\s+/);
    return state.startsWith('Z') ? undefined : startTime.join(' ');
  } catch {
    return undefined;
  }
}

function readRecord(pidFile) {
  try {
    return JSON.parse(readFileSync(pidFile, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw new StackError(`Cannot read ${pidFile}: ${error.message}. Stop the server by hand and remove that file.`);
  }
}

function writeRecord(pidFile, record) {
  writeFileSync(`${pidFile}.new`, `${JSON.stringify(record)}\n`);
  renameSync(`${pidFile}.new`, pidFile);
}

function rotateLog(logFile) {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_ROTATE_BYTES) renameSync(logFile, `${logFile}.1`);
}
