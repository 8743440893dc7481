/** Brings the jars of a server from the Maven repository into .stack/<server>/lib. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { StackError } from './errors.mjs';
import { progress, seconds } from './output.mjs';
import { run } from './run.mjs';

const ATTEMPTS = 2;
const TIMEOUT_MS = 10 * 60_000;

/** Does nothing when the jars of exactly this pom are there. Returns the directory of the jars. */
export async function ensureJars({ name, serverDir, mvn }) {
  const pom = path.join(import.meta.dirname, `${name}.pom.xml`);
  const lib = path.join(serverDir, 'lib');
  const marker = path.join(serverDir, 'lib.sha256');
  const wanted = createHash('sha256').update(readFileSync(pom)).digest('hex');
  if (readMarker(marker) === wanted) return lib;

  const startedAt = Date.now();
  progress(`${name}: fetching jars with maven`);
  rmSync(marker, { force: true });
  await copyDependencies({ name, mvn, pom, lib });
  writeFileSync(marker, wanted);
  progress(`${name}: jars fetched in ${seconds(startedAt)}`);
  return lib;
}

async function copyDependencies({ name, mvn, pom, lib }) {
  let last;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    rmSync(lib, { recursive: true, force: true });
    mkdirSync(lib, { recursive: true });
    const args = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${lib}`];
    last = await run(mvn, args, { timeoutMs: TIMEOUT_MS });
    if (last.code === 0) return;
    if (attempt < ATTEMPTS) progress(`${name}: maven failed, trying once more`);
  }
  const cause = last.timedOut ? `took longer than ${TIMEOUT_MS / 60_000} minutes` : `exit code ${last.code}`;
  throw new StackError(
    `${name}: maven could not bring the jars (${cause}):\n${last.output.trim()}\n` +
      `Check the network and the mirrors or proxy in ~/.m2/settings.xml, then start the stack again.`,
  );
}

function readMarker(marker) {
  try {
    return readFileSync(marker, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
