import { randomBytes, randomInt } from 'node:crypto';
import { hostname } from 'node:os';
import { v4, v7 } from 'uuid';
import type { Ids } from '../../ports/clock.js';

const TOKEN_BYTES = 32;
const RANDOM_STEPS = 2 ** 48 - 1;

/** Ids from the operating system's randomness. */
export class SystemIds implements Ids {
  /** UUID version 7: its text sorts by time. */
  runId(): string {
    return v7();
  }

  /** Names host and process for people; every call answers another id, so that two workers in one process differ. */
  workerId(): string {
    const host = hostname()
      .replaceAll(/[^A-Za-z0-9_.-]/g, '-')
      .slice(0, 64);
    return `${host}.${process.pid}.${v4().slice(0, 8)}`;
  }

  token(): string {
    return randomBytes(TOKEN_BYTES).toString('base64url');
  }

  random(): number {
    return randomInt(RANDOM_STEPS) / RANDOM_STEPS;
  }
}
