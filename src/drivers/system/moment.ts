/**
 * Resolves when all has run that is ready to run by now, however long the chains of promises: before the event loop
 * turns, so that who waits for it loses no time.
 */
export function endOfMoment(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
