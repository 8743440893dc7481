/** Progress goes to stderr, results to stdout, so that `stack.mjs up > .env` gives a usable file. */
import process from 'node:process';

export function progress(line) {
  process.stderr.write(`${line}\n`);
}

export function result(line) {
  process.stdout.write(`${line}\n`);
}

export function seconds(startedAt) {
  return `${((Date.now() - startedAt) / 1000).toFixed(1)} s`;
}
