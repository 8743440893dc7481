import { nextTick } from 'node:process';
import { setImmediate } from 'node:timers';

/**
 * Resolves when all has run that is ready to run by now, however long the chains of promises: before the event loop
 * turns, so that who waits for it loses no time.
 */
export function endOfMoment(): Promise<void> {
  moment ??= new Promise((resolve) =>
    nextTick(() => {
      moment = undefined;
      resolve();
    }),
  );
  return moment;
}

let moment: Promise<void> | undefined;

let round: Promise<void> | undefined;

/**
 * Resolves when the event loop has gone around: what sockets have brought by now has run by then. All who wait for it go on
 * together.
 */
export function endOfRound(): Promise<void> {
  round ??= new Promise((resolve) =>
    setImmediate(() => {
      round = undefined;
      resolve();
    }),
  );
  return round;
}
