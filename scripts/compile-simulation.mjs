// Compiles what the simulation needs to plain JavaScript, file by file: jest would transform and wrap every module.
import { transformFile } from '@swc/core';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

const OUT = '.build/simulation';
const FOLDERS = ['src/core', 'src/ports', 'src/engine', 'src/drivers/memory', 'test/simulation', 'test/support'];

/** Answers the folder that mirrors the project. */
export async function compileSimulation() {
  await rm(OUT, { recursive: true, force: true });
  for (const folder of FOLDERS) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.ts') || entry.name.endsWith('.spec.ts')) continue;
      const file = join(entry.parentPath, entry.name);
      const { code } = await transformFile(file, { sourceMaps: 'inline' });
      const target = join(OUT, file.replace(/\.ts$/, '.js'));
      await mkdir(dirname(target), { recursive: true });
      const cache = relative(dirname(file), 'test/simulation/world/small-cache.js');
      await writeFile(target, folder === 'src/engine' ? code.replace("'lru-cache'", `'${cache}'`) : code);
    }
  }
  return OUT;
}
