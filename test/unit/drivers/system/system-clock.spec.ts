import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { SystemClock } from '../../../../src/drivers/system/system-clock.js';

describe('SystemClock', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: 1_700_000_000_000 });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('tells the time in milliseconds', () => {
    expect(new SystemClock().now()).toBe(1_700_000_000_000);
  });

  it('calls once after the delay', () => {
    const run = jest.fn();
    new SystemClock().after(100, run);
    jest.advanceTimersByTime(99);
    expect(run).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1000);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('does not call what was cancelled', () => {
    const run = jest.fn();
    const cancel = new SystemClock().after(100, run);
    cancel();
    cancel();
    jest.advanceTimersByTime(1000);
    expect(run).not.toHaveBeenCalled();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('waits for months, although a timer of Node holds 25 days at most', () => {
    const run = jest.fn();
    const days = 90 * 86_400_000;
    const clock = new SystemClock();
    clock.after(days, run);
    const cancel = clock.after(days, run);
    jest.advanceTimersByTime(days - 1);
    expect(run).not.toHaveBeenCalled();
    cancel();
    jest.advanceTimersByTime(10);
    expect(run).toHaveBeenCalledTimes(1);
    expect(jest.getTimerCount()).toBe(0);
  });
});

it('a timer keeps the process alive until it is cancelled', () => {
  const timers = jest.spyOn(globalThis, 'setTimeout');
  const cancel = new SystemClock().after(60_000, () => undefined);
  expect((timers.mock.results[0]?.value as NodeJS.Timeout).hasRef()).toBe(true);
  cancel();
  timers.mockRestore();
});
