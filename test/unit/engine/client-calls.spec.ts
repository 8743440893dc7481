import { describe, expect, it } from '@jest/globals';
import { CallTimeoutError, ClosedError, UnavailableError } from '../../../src/core/errors.js';
import { ClientCalls } from '../../../src/engine/client-calls.js';
import { Persistence } from '../../../src/engine/persistence.js';
import { ManualClock } from '../../support/manual-clock.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const away = () => Promise.reject(new UnavailableError('redis', 'claim', new Error('gone')));
const turns = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

function setUp() {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const closed = new AbortController();
  const ids = { random: () => 0, runId: () => 'r', workerId: () => 'w', token: () => 't' };
  const persistence = new Persistence(clock, ids, logger, closed.signal);
  return { clock, closed, persistence, calls: new ClientCalls(persistence, clock, logger, 1000, closed.signal) };
}

describe('a call of the client', () => {
  it('that waits for a server ends in time and says which one, and no timer is left', async () => {
    const { clock, calls, persistence, closed } = setUp();
    const call = calls.run('start()', 'r1', () => persistence.until(away)).catch((error: unknown) => error);
    for (let i = 0; i < 30; i++) {
      await turns();
      clock.advance(50);
    }
    const error = (await call) as CallTimeoutError;
    expect(error).toBeInstanceOf(CallTimeoutError);
    expect(error).toMatchObject({ code: 'FLOW_CALL_TIMEOUT', retryable: true, runId: 'r1' });
    expect(error.cause).toMatchObject({ server: 'redis' });
    closed.abort();
    await turns();
    expect(clock.pending).toBe(0);
  });

  it('is repeated while there is time, and ends with what kept it', async () => {
    const { clock, calls } = setUp();
    let tries = 0;
    const recovers = calls.run('getRun()', 'r1', () => (++tries < 3 ? away() : Promise.resolve('here')));
    for (let i = 0; i < 4; i++) {
      await turns();
      clock.advance(250);
    }
    expect(await recovers).toBe('here');
    const never = calls.run('getRun()', 'r1', away).catch((error: unknown) => error);
    for (let i = 0; i < 5; i++) {
      await turns();
      clock.advance(250);
    }
    expect(await never).toMatchObject({ retryable: true });
    expect(clock.pending).toBe(0);
  });

  it('ends when the application closes', async () => {
    const { clock, calls, closed } = setUp();
    const call = calls.run('cancel()', 'r1', () => new Promise(() => {})).catch((error: unknown) => error);
    await turns();
    closed.abort();
    expect(await call).toBeInstanceOf(ClosedError);
    expect(clock.pending).toBe(0);
    await expect(calls.run('cancel()', 'r1', async () => 1)).rejects.toBeInstanceOf(ClosedError);
  });
});
