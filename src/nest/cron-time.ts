import { createRequire } from 'node:module';

/** What is used of the class of the same name in the `cron` package. */
export interface CronTime {
  /** Milliseconds until the next time. */
  getTimeout(): number;
}

type CronTimeClass = new (expression: string) => CronTime;

const EVERY_MINUTE: CronTime = { getTimeout: () => 60_000 };

/**
 * The times of a cron expression. With `missing`, the parser could not be loaded and why: the times are every minute.
 * @throws Error if the expression is none
 */
export function cronTime(expression: string): { readonly time: CronTime; readonly missing?: unknown } {
  let Parser: CronTimeClass;
  try {
    Parser = loadParser();
  } catch (missing) {
    return { time: EVERY_MINUTE, missing };
  }
  return { time: new Parser(expression) };
}

/**
 * The parser that `@nestjs/schedule` brings with it, found from there: it is no dependency of ours, and the two must
 * agree on what an expression means. An application that was bundled into one file may not have it.
 */
function loadParser(): CronTimeClass {
  const here = createRequire(import.meta.url);
  const schedule = createRequire(here.resolve('@nestjs/schedule'));
  return (schedule('cron') as { CronTime: CronTimeClass }).CronTime;
}

/** What is wrong with a cron expression; undefined if nothing is. */
export function cronProblem(expression: string): string | undefined {
  try {
    cronTime(expression);
    return undefined;
  } catch (error) {
    return `is no cron expression: ${error instanceof Error ? error.message : String(error)}`;
  }
}
