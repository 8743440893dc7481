import { readFile } from 'node:fs/promises';

export interface SampleText {
  readonly id: string;
  readonly channel: string;
  readonly text: string;
}

/** Reads a file of JSON lines `{ id, channel, text }`. */
export async function readTexts(file: string): Promise<SampleText[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line, i) => {
    const { id, channel, text } = JSON.parse(line) as Partial<SampleText>;
    if (typeof id !== 'string' || typeof channel !== 'string' || typeof text !== 'string')
      throw new Error(`Line ${i + 1} of ${file} is not { id, channel, text }.`);
    return { id, channel, text };
  });
}
