import { createRequire } from 'node:module';
import type { Logger } from '../../ports/logger.js';

const KNOWN_VERSION = '2.2.4';
const GUARDED = Symbol.for('nestjs-flowcraft-kafka.idle-guard');

interface RequestQueue {
  readonly pending: readonly unknown[];
}
type Schedule = (this: RequestQueue) => void;

/**
 * kafkajs looks for pending requests in a timer that sets itself again at once, thousands of times a second, also when
 * there is nothing to send. With the guard the timer runs only while requests are pending (throttled by the broker, or
 * above `maxInFlightRequests`); `push` starts it again, so nothing is sent later than before. It acts on the process's
 * copy of kafkajs, once, and only on the version that it was written for.
 *
 * @returns whether the guard is in place
 */
export function guardIdleTimers(logger: Logger): boolean {
  let prototype: Record<PropertyKey, unknown>;
  try {
    const require = createRequire(import.meta.url);
    const { version } = require('kafkajs/package.json') as { version?: unknown };
    if (version !== KNOWN_VERSION) {
      logger.debug('kafkajs is left as it is: the idle guard does not know this version', { version });
      return false;
    }
    const queue: unknown = require('kafkajs/src/network/requestQueue');
    prototype = typeof queue === 'function' ? (queue.prototype as Record<PropertyKey, unknown>) : {};
  } catch (error) {
    logger.debug('kafkajs is left as it is: its request queue was not found', { error });
    return false;
  }
  if (prototype[GUARDED] === true) return true;
  const schedule = prototype['scheduleCheckPendingRequests'];
  if (!isKnownSchedule(schedule)) {
    logger.debug('kafkajs is left as it is: its request queue has another shape');
    return false;
  }
  prototype['scheduleCheckPendingRequests'] = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this);
  };
  prototype[GUARDED] = true;
  return true;
}

function isKnownSchedule(value: unknown): value is Schedule {
  if (typeof value !== 'function') return false;
  const source = value.toString();
  return ['throttleCheckTimeoutId', 'this.pending.length', 'checkPendingRequests'].every((part) =>
    source.includes(part),
  );
}
