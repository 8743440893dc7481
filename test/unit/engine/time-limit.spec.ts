import { TimeLimit } from '../../../src/engine/time-limit.js';
import { ManualClock } from '../../support/manual-clock.js';

async function moved(clock: ManualClock, ms: number): Promise<void> {
  clock.advance(ms);
  await new Promise((resolve) => setImmediate(resolve));
}

describe('a limit in time', () => {
  const clock = () => new ManualClock();

  it('says that work was done which ends in time, and leaves no timer', async () => {
    const time = clock();
    const limit = new TimeLimit(time, 100);
    await expect(limit.race(Promise.resolve())).resolves.toBe('done');
    expect(time.pending).toBe(0);
  });

  it('says of each work that it is late when its own time is over', async () => {
    const time = clock();
    const limit = new TimeLimit(time, 100);
    const told: string[] = [];
    const never = new Promise<void>(() => undefined);
    void limit.race(never).then((outcome) => told.push(`first ${outcome}`));
    await moved(time, 60);
    void limit.race(never).then((outcome) => told.push(`second ${outcome}`));
    await moved(time, 40);
    expect(told).toEqual(['first late']);
    await moved(time, 59);
    expect(told).toEqual(['first late']);
    await moved(time, 1);
    expect(told).toEqual(['first late', 'second late']);
    expect(time.pending).toBe(0);
  });

  it('keeps the time of what goes on when what began before it ends', async () => {
    const time = clock();
    const limit = new TimeLimit(time, 100);
    let end: () => void = () => undefined;
    const first = limit.race(new Promise<void>((resolve) => (end = resolve)));
    await moved(time, 50);
    const second = limit.race(new Promise<void>(() => undefined));
    end();
    await expect(first).resolves.toBe('done');
    await moved(time, 100);
    await expect(second).resolves.toBe('late');
  });

  it('rejects as the work does', async () => {
    const limit = new TimeLimit(clock(), 100);
    await expect(limit.race(Promise.reject(new Error('no')))).rejects.toThrow('no');
  });
});
