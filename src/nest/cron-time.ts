import { createRequire } from 'node:module';

/** What is used of the class of the same name in the `cron` package. */
export interface CronTime {
  /** Milliseconds until the next time. */
  getTimeout(): number;
}

interface CronTimeClass {
  new (expression: string): CronTime;
}

/**
 * The cron parser that `@nestjs/schedule` brings with it, found from there: it is no dependency of ours, and the two
 * must agree on what an expression means.
 */
function cronTimeClass(): CronTimeClass {
  const here = createRequire(import.meta.url);
  const schedule = createRequire(here.resolve('@nestjs/schedule'));
  return (schedule('cron') as { CronTime: CronTimeClass }).CronTime;
}

/** @throws Error if the expression is none */
export function cronTime(expression: string): CronTime {
  return new (cronTimeClass())(expression);
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
