// Module hooks for child processes of tests: TypeScript by swc, `x.js` and `./x` as `x.ts`, this package by its name.
import { readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import path from 'node:path';
import swc from '@swc/core';

const ROOT = path.resolve(import.meta.dirname, '../..');
const EMPTY = 'data:text/javascript,';
/** Names that a program has written in it, and what they are replaced by: `{ "flowcraft-jobs": "test-jobs-1" }`. */
const NAMES = Object.entries(JSON.parse(process.env.TEST_REPLACED_NAMES ?? '{}'));

export async function resolve(specifier, context, next) {
  if (specifier === 'nestjs-flowcraft-kafka') return found(path.join(ROOT, 'src/index.ts'));
  // the page's client loads it; the environment is set by the test
  if (specifier === 'dotenv/config') return { url: EMPTY, shortCircuit: true };
  if (/^\.{1,2}\//.test(specifier) && context.parentURL?.endsWith('.ts')) {
    const target = fileURLToPath(new URL(specifier, context.parentURL));
    for (const file of [target.replace(/\.js$/, '.ts'), `${target}.ts`]) {
      if (file.endsWith('.ts') && existsSync(file)) return found(file);
    }
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context);
  const filename = fileURLToPath(url);
  let text = await readFile(filename, 'utf8');
  if (filename.includes('/programs/')) for (const [name, other] of NAMES) text = text.replaceAll(name, other);
  const { code } = await swc.transform(text, { filename, root: ROOT, swcrc: true, sourceMaps: 'inline' });
  return { format: 'module', source: code, shortCircuit: true };
}

function found(file) {
  return { url: pathToFileURL(file).href, shortCircuit: true };
}
