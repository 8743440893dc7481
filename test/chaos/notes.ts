import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** One execution of a node's code, as the worker noted it. */
export interface Execution {
  readonly nonce: string;
  readonly runId: string;
  readonly nodeId: string;
  readonly turn: string;
  readonly key: string;
  readonly worker: string;
  readonly startedAt: number;
  finishedAt?: number;
  /** The executions whose outputs it got. */
  readonly seen: readonly string[];
}

export interface LogLine {
  readonly at: number;
  readonly worker: string;
  readonly level: string;
  readonly message: string;
  readonly runId?: string;
  readonly error?: unknown;
}

/** All that the workers have written down. */
export interface Notes {
  readonly executions: ReadonlyMap<string, Execution>;
  readonly messages: number;
  /** Messages that were delivered before. */
  readonly redelivered: number;
  readonly log: readonly LogLine[];
}

export function readNotes(directory: string): Notes {
  const executions = new Map<string, Execution>();
  const delivered = new Set<string>();
  let messages = 0;
  for (const { worker, lines } of files(directory, '.notes')) {
    for (const line of lines) {
      const [kind, ...words] = line.split('\t');
      if (kind === 'M') {
        messages++;
        delivered.add(`${words[1]}/${words[2]}`);
      } else if (kind === 'S') {
        const [at, runId = '', nodeId = '', turn = '', key = '', , nonce = '', seen = ''] = words;
        const list = seen.split(',').filter((one) => one !== '');
        executions.set(nonce, { nonce, runId, nodeId, turn, key, worker, startedAt: Number(at), seen: list });
      } else if (kind === 'F') {
        const execution = executions.get(words[4] ?? '');
        if (execution) execution.finishedAt = Number(words[0]);
      }
    }
  }
  const log = files(directory, '.log').flatMap(({ worker, lines }) =>
    lines.flatMap((line): LogLine[] => {
      try {
        return [{ ...(JSON.parse(line) as Omit<LogLine, 'worker'>), worker }];
      } catch {
        return []; // the worker was killed within a line
      }
    }),
  );
  return { executions, messages, redelivered: messages - delivered.size, log };
}

function files(directory: string, ending: string): { worker: string; lines: string[] }[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith(ending))
    .map((name) => ({
      worker: name.slice(0, -ending.length),
      lines: readFileSync(path.join(directory, name), 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    }));
}
