/** Decides between containers and local processes, and remembers what a stack was started with. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createDockerStack, describeDockerProblem } from './docker.mjs';
import { StackError } from './errors.mjs';
import { createLocalStack } from './local.mjs';
import { progress } from './output.mjs';

/**
 * FLOWCRAFT_STACK decides. Without it a stack stays what it was when it was started,
 * and a new one uses Docker if an engine answers.
 */
export async function openStack(settings) {
  const recorded = readMode(settings);
  const wanted = settings.forcedMode ?? recorded;
  if (wanted === 'local') return createLocalStack(settings);

  const problem = await describeDockerProblem();
  if (!problem) return createDockerStack(settings);
  if (!wanted) {
    progress(`no Docker (${problem}): using local processes`);
    return createLocalStack(settings);
  }
  const reason = settings.forcedMode ? 'FLOWCRAFT_STACK=docker is set' : 'This stack was started with Docker';
  throw new StackError(
    `${reason}, but Docker cannot be used (${problem}). Start Docker, or set FLOWCRAFT_STACK=local.`,
  );
}

export function recordMode(settings, mode) {
  mkdirSync(settings.dir, { recursive: true });
  writeFileSync(modeFile(settings), mode);
}

export function forgetMode(settings) {
  rmSync(modeFile(settings), { force: true });
}

function readMode(settings) {
  try {
    const mode = readFileSync(modeFile(settings), 'utf8').trim();
    return mode === 'docker' || mode === 'local' ? mode : undefined;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function modeFile(settings) {
  return path.join(settings.dir, 'mode');
}
