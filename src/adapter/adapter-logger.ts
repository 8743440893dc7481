import { ConsoleLogger, type ILogger } from 'flowcraft';
import type { LogFields, Logger } from '../ports/logger.js';

/** Where the adapter's engine logs: the logger of the runtime options, else the console without debug lines. */
export function engineLogger(given: ILogger | undefined): Logger {
  const target = given ?? new ConsoleLogger();
  const meta = (fields: LogFields | undefined) => (fields === undefined ? undefined : { ...fields });
  return {
    debug: (message, fields) => given?.debug(message, meta(fields)),
    log: (message, fields) => target.info(message, meta(fields)),
    warn: (message, fields) => target.warn(message, meta(fields)),
    error: (message, fields) => target.error(message, meta(fields)),
  };
}
