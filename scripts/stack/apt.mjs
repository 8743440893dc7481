/** Installs system packages where that is possible without asking: as root on a Debian-like machine. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { StackError } from './errors.mjs';
import { progress } from './output.mjs';
import { findProgram, run } from './run.mjs';

const POLICY_FILE = '/usr/sbin/policy-rc.d';
const APT_TIMEOUT_MS = 10 * 60_000;

export function canInstall() {
  return process.platform === 'linux' && process.getuid?.() === 0 && findProgram('apt-get') !== undefined;
}

export async function aptInstall(packages) {
  progress(`installing ${packages.join(', ')} with apt-get`);
  await withoutServiceStart(async () => {
    await apt(['update']);
    await apt(['install', '-y', '--no-install-recommends', ...packages]);
  });
}

async function apt(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { code, output } = await run('apt-get', ['-q', ...args], { env, timeoutMs: APT_TIMEOUT_MS });
  if (code === 0) return;
  throw new StackError(
    `apt-get ${args.join(' ')} failed (exit code ${code}):\n${output.trim()}\nRun it by hand, then start the stack again.`,
  );
}

/** Debian starts a service when its package is installed: this stack wants the program only, the port is its own. */
async function withoutServiceStart(install) {
  const ours = !existsSync(POLICY_FILE);
  if (ours) writeFileSync(POLICY_FILE, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await install();
  } finally {
    if (ours) rmSync(POLICY_FILE, { force: true });
  }
}
