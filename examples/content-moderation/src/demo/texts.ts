import { readFile } from 'node:fs/promises';
import { UsageError } from './arguments.js';

export interface SampleText {
  readonly id: string;
  readonly channel: string;
  readonly text: string;
}

/**
 * Reads a file of JSON lines `{ id, channel, text }`.
 * @throws UsageError
 */
export async function readTexts(file: string): Promise<SampleText[]> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--file ${file} can't be read: ${(error as Error).message}.`);
  }
  const texts = content
    .split('\n')
    .flatMap((line, i) => (line.trim() === '' ? [] : [textOf(line, `${file}:${i + 1}`)]));
  if (texts.length === 0) throw new UsageError(`--file ${file} has no texts.`);
  return texts;
}

function textOf(line: string, place: string): SampleText {
  const { id, channel, text } = objectIn(line);
  if (typeof id !== 'string' || typeof channel !== 'string' || typeof text !== 'string')
    throw new UsageError(`${place} is no JSON line { "id": "...", "channel": "...", "text": "..." }.`);
  return { id, channel, text };
}

/** Empty for what is no JSON object. */
function objectIn(line: string): Partial<Record<string, unknown>> {
  try {
    return (JSON.parse(line) ?? {}) as Partial<Record<string, unknown>>;
  } catch {
    return {};
  }
}
