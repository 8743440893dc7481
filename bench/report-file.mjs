import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Writes what was measured as JSON, into a directory that need not be there yet. */
export async function writeReport(file, report) {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(report, null, 2)}\n`);
}
