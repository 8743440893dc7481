import { logLevel, type logCreator } from 'kafkajs';
import type { LogFields, Logger } from '../../ports/logger.js';

/** Only these fields of kafkajs' entries are printed: others can carry payloads or credentials. */
const PRINTED = [
  'broker',
  'clientId',
  'groupId',
  'memberId',
  'topic',
  'partition',
  'error',
  'retryCount',
  'retryTime',
  'duration',
] as const;

/**
 * kafkajs' log entries in our log. What kafkajs calls an error it mostly retries itself, and what it does not the
 * driver reports in its own words: hence one level lower here.
 */
export function kafkaLogCreator(logger: Logger): logCreator {
  return () =>
    ({ namespace, level, log }) => {
      const fields: Record<string, unknown> = {};
      for (const name of PRINTED) if (log[name] !== undefined) fields[name] = log[name];
      const message = `kafkajs ${namespace === '' ? '' : `[${namespace}] `}${log.message}`;
      write(logger, levelOf(namespace, level, log.message), message, fields);
    };
}

/** Each failed answer is logged by the connection and then again by whoever deals with it. */
function levelOf(namespace: string, level: logLevel, message: string): 'debug' | 'warn' {
  if (level === logLevel.INFO || level === logLevel.DEBUG) return 'debug';
  return namespace === 'Connection' && message.startsWith('Response ') ? 'debug' : 'warn';
}

function write(logger: Logger, level: 'debug' | 'warn', message: string, fields: LogFields): void {
  if (level === 'debug') logger.debug(message, fields);
  else logger.warn(message, fields);
}
