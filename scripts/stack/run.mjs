/** Runs a command to its end and hands back what it said. */
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

/**
 * Never rejects: a command that cannot be started gives code -1, one that ran too long `timedOut`.
 * With `show` the output goes to the terminal (stderr) instead of being collected.
 */
export function run(command, args, { env = process.env, cwd, timeoutMs, show = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env,
      stdio: show ? ['ignore', 2, 2] : ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk) => {
      stdout += chunk;
      output += chunk;
    });
    child.stderr?.setEncoding('utf8').on('data', (chunk) => {
      output += chunk;
    });
    child.on('error', (error) => {
      const reason = error.code === 'ENOENT' ? `${command} was not found` : error.message;
      resolve({ code: -1, stdout, output: reason, timedOut: false });
    });
    child.on('exit', (code, signal) => {
      if (signal !== 'SIGKILL') return;
      // What the killed command had started itself may still hold its output open.
      child.stdout?.destroy();
      child.stderr?.destroy();
    });
    child.on('close', (code, signal) => {
      const timedOut = signal === 'SIGKILL' && timeoutMs !== undefined;
      resolve({ code: code ?? -1, stdout, output, timedOut });
    });
  });
}

/** Full path of a program on PATH, or undefined. */
export function findProgram(name) {
  return (process.env.PATH ?? '')
    .split(path.delimiter)
    .map((dir) => path.join(dir, name))
    .find(isExecutableFile);
}

function isExecutableFile(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
