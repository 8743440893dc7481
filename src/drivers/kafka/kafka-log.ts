import { logLevel, type logCreator } from 'kafkajs';
import type { Logger } from '../../ports/logger.js';

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
const REPEATED_WITHIN_MS = 10_000;

/**
 * kafkajs' log entries in our log. What kafkajs calls an error it mostly retries itself, and what it does not the
 * driver reports in its own words: hence one level lower here. An outage is not told again with every attempt.
 */
export function kafkaLogCreator(logger: Logger, isClosed: () => boolean): logCreator {
  const lastOf = new Map<string, { message: string; at: number }>();
  const isRepeated = (namespace: string, message: string) => {
    const last = lastOf.get(namespace);
    if (last?.message === message && Date.now() - last.at < REPEATED_WITHIN_MS) return true;
    lastOf.set(namespace, { message, at: Date.now() });
    return false;
  };
  return () =>
    ({ namespace, level, log }) => {
      const fields: Record<string, unknown> = {};
      for (const name of PRINTED) if (log[name] !== undefined) fields[name] = log[name];
      const message = `kafkajs ${namespace === '' ? '' : `[${namespace}] `}${log.message}`;
      if (!isWorthAWarning(namespace, level, log.message) || isClosed() || isRepeated(namespace, message))
        logger.debug(message, fields);
      else logger.warn(message, fields);
    };
}

/** Each failed answer is logged by the connection and then again by whoever deals with it. */
function isWorthAWarning(namespace: string, level: logLevel, message: string): boolean {
  if (level === logLevel.INFO || level === logLevel.DEBUG) return false;
  return namespace !== 'Connection' || !message.startsWith('Response ');
}
