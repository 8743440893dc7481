import { setImmediate } from 'node:timers/promises';
import { PeriodicSweep } from '../../../src/adapter/periodic-sweep.js';
import { ManualClock } from '../../support/manual-clock.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const NOTHING = { stalledRuns: 0, reconciledRuns: 0, failedRuns: 0 };

describe('PeriodicSweep', () => {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const minute = async () => {
    clock.advance(60_000);
    await setImmediate();
  };

  it('sweeps every minute, also after a sweep that failed, and leaves no timer behind', async () => {
    let sweeps = 0;
    const reconciler = {
      sweep: async () => {
        if (++sweeps === 1) throw new Error('away');
        return NOTHING;
      },
    };
    const sweep = new PeriodicSweep(reconciler, clock, logger);
    sweep.start();
    clock.advance(59_000);
    expect(sweeps).toBe(0);
    for (let i = 0; i < 3; i++) await minute();
    expect(sweeps).toBe(3);
    expect(logger.lines.map((line) => line.level)).toEqual(['warn']);
    sweep.stop();
    expect(clock.pending).toBe(0);
  });

  it('does not begin again when it is stopped during a sweep', async () => {
    let end = () => {};
    const reconciler = { sweep: () => new Promise<typeof NOTHING>((resolve) => (end = () => resolve(NOTHING))) };
    const sweep = new PeriodicSweep(reconciler, clock, logger);
    sweep.start();
    await minute();
    sweep.stop();
    end();
    await setImmediate();
    expect(clock.pending).toBe(0);
  });
});
