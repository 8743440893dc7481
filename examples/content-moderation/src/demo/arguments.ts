import { parseArgs } from 'node:util';

/** npm runs scripts in the root of the repository. */
const TEXTS = 'examples/content-moderation/texts.jsonl';

export const USAGE = `Usage: npm run demo -- [options]

  --verify        compare each verdict with that of flowcraft's in-process runtime
  --workers <n>   worker processes; needs servers: FLOWCRAFT_SERVERS=1 (default: this process is the worker)
  --window <n>    texts on their way at a time (default: 32)
  --limit <n>     only the first n texts
  --file <path>   JSON lines { id, channel, text } (default: the texts of this example)
`;

/** The demo was called in a way that it cannot follow: its message is all that the caller needs. */
export class UsageError extends Error {}

export interface DemoArguments {
  readonly verify: boolean;
  readonly workers: number;
  readonly window: number;
  readonly limit: number;
  readonly file: string;
  readonly help: boolean;
}

/** @throws UsageError */
export function demoArguments(args: readonly string[]): DemoArguments {
  const { workers, window, limit, ...others } = parsed(args);
  return {
    ...others,
    workers: wholeNumber('workers', workers, 0, 64),
    window: wholeNumber('window', window, 1, 10_000),
    limit: limit === undefined ? Infinity : wholeNumber('limit', limit, 1),
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        verify: { type: 'boolean', default: false },
        workers: { type: 'string', default: '0' },
        window: { type: 'string', default: '32' },
        limit: { type: 'string' },
        file: { type: 'string', default: TEXTS },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    const [line = ''] = (error as Error).message.split('\n');
    throw new UsageError(`${line.replace(/\.$/, '')}. See --help.`);
  }
}

function wholeNumber(name: string, text: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  if (number >= least && number <= most) return number;
  const range = most === Number.MAX_SAFE_INTEGER ? `, ${least} or more` : ` from ${least} to ${most}`;
  throw new UsageError(`--${name} must be a whole number${range}, not '${text}'.`);
}
