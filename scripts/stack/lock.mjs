/** Lets one command at a time change a stack: two `up` at once would start everything twice. */
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { StackError } from './errors.mjs';
import { progress } from './output.mjs';
import { describeProcess, isAlive } from './processes.mjs';

const POLL_INTERVAL_MS = 250;
const TIMEOUT_MS = 15 * 60_000;

export async function withLock(dir, task) {
  mkdirSync(dir, { recursive: true });
  const file = path.join(dir, 'lock');
  await acquire(file);
  const release = () => rmSync(file, { force: true });
  process.once('exit', release);
  try {
    return await task();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}

async function acquire(file) {
  const deadline = Date.now() + TIMEOUT_MS;
  for (let announced = false; ; announced = true) {
    if (tryCreate(file)) return;
    const holder = readHolder(file);
    if (holder !== undefined && !isAlive(holder)) {
      rmSync(file, { force: true });
      continue;
    }
    if (Date.now() >= deadline) {
      throw new StackError(
        `Process ${holder?.pid} has held ${file} for too long. If it does nothing, end it and remove that file.`,
      );
    }
    if (!announced) progress(`waiting for another stack command (pid ${holder?.pid})`);
    await sleep(POLL_INTERVAL_MS);
  }
}

/** The file comes into being with its content, so that nobody ever reads half of it. */
function tryCreate(file) {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(describeProcess(process.pid)));
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Undefined when it has just been removed. */
function readHolder(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
