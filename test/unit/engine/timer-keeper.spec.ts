import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { turnTimer, type Timer } from '../../../src/core/timer.js';
import { MemoryServers, type MemoryDrivers } from '../../../src/drivers/memory/memory-servers.js';
import { Persistence } from '../../../src/engine/persistence.js';
import { TimerKeeper, type Firing } from '../../../src/engine/timer-keeper.js';
import { ManualClock } from '../../support/manual-clock.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const MINUTE_MS = 60_000;

describe('the keeper of timers', () => {
  let clock: ManualClock;
  let servers: MemoryServers;
  let drivers: MemoryDrivers;
  let keepers: TimerKeeper[];
  let fired: { timer: Timer; at: number }[];
  let polls: number;
  let answer: (timer: Timer) => Firing;

  beforeEach(() => {
    clock = new ManualClock();
    servers = new MemoryServers({ clock });
    drivers = servers.drivers(new RecordingLogger());
    [keepers, fired, polls, answer] = [[], [], 0, () => 'fired'];
  });
  afterEach(async () => {
    for (const keeper of keepers) await keeper.stop();
    expect(clock.pending).toBe(0);
  });

  const keeper = (worker = 'w1'): TimerKeeper => {
    const logger = new RecordingLogger();
    const ids = { runId: () => 'r', workerId: () => worker, token: () => 't', random: () => 0.5 };
    const { timerIndex } = drivers;
    const index = Object.create(timerIndex) as typeof timerIndex;
    index.take = (limit, holdMs) => {
      polls++;
      return timerIndex.take(limit, holdMs);
    };
    const made = new TimerKeeper({
      rows: drivers.timerRows,
      index,
      ledger: drivers.ledger,
      persistence: new Persistence(clock, ids, logger, new AbortController().signal),
      clock,
      logger,
      worker,
      fire: async (timer) => {
        fired.push({ timer, at: clock.now() });
        return answer(timer);
      },
    });
    keepers.push(made);
    made.start();
    return made;
  };
  const pass = async (ms: number) => {
    const end = clock.now() + ms;
    while (clock.now() < end) {
      clock.advance(Math.min(250, end - clock.now()));
      for (let i = 0; i < 30; i++) await Promise.resolve();
    }
  };
  const timerIn = (ms: number, nodeId = 'n') => turnTimer('r1', { nodeId, turn: '1' }, clock.now() + ms);
  const set = async (own: TimerKeeper, timer: Timer) => {
    await own.record(timer);
    await own.arm(timer);
  };

  it('fires at the time, once, and then forgets', async () => {
    const own = keeper();
    keeper('w2');
    const timer = timerIn(4321);
    await set(own, timer);
    await pass(3 * MINUTE_MS);
    expect(fired).toHaveLength(1);
    expect((fired[0]?.at ?? 0) - timer.due).toBeLessThan(300);
    expect(servers.ledger.timers.timers.size).toBe(0);
    expect(servers.store.timers.pending.size).toBe(0);
  });

  it('asks once a second while nothing is due', async () => {
    keeper();
    await pass(10 * MINUTE_MS);
    expect(polls).toBeLessThanOrEqual(10 * 60 + 5);
  });

  it('takes far timers into the index when they come near', async () => {
    const timer = timerIn(120 * MINUTE_MS);
    await set(keeper(), timer);
    await pass(90 * MINUTE_MS);
    expect(servers.ledger.timers.timers.size).toBe(0);
    await pass(20 * MINUTE_MS);
    expect(servers.ledger.timers.timers.size).toBe(1);
    await pass(11 * MINUTE_MS);
    expect(fired.map(({ at }) => Math.abs(at - timer.due) < 300)).toEqual([true]);
  });

  it('finds what the index has lost: all of it at once, single ones a bit later', async () => {
    const own = keeper();
    const [one, other] = [timerIn(5000, 'one'), timerIn(5 * MINUTE_MS, 'other')];
    await pass(2000);
    await set(own, one);
    await set(own, other);
    servers.ledger.clear();
    await pass(6000);
    expect(fired.map(({ timer }) => timer.nodeId)).toEqual(['one']);
    await drivers.timerIndex.remove([other]);
    await pass(7 * MINUTE_MS);
    expect(fired.map(({ timer }) => timer.nodeId)).toEqual(['one', 'other']);
    expect((fired[1]?.at ?? 0) - other.due).toBeLessThan(95_000);
  });

  it('fires what was due while nobody was there', async () => {
    const own = keeper();
    await set(own, timerIn(MINUTE_MS));
    await own.stop();
    servers.ledger.clear();
    await pass(26 * 60 * MINUTE_MS);
    keeper('w2');
    await pass(3000);
    expect(fired).toHaveLength(1);
  });

  it('gives a timer that could not be fired to somebody again', async () => {
    answer = () => (fired.length < 3 ? 'later' : 'fired');
    await set(keeper(), timerIn(1000));
    await pass(40_000);
    expect(fired).toHaveLength(3);
    expect(servers.store.timers.pending.size).toBe(0);
  });

  it('keeps the row of a timer that was early, and fires it when what it is for has been recorded', async () => {
    let recorded = false;
    answer = () => (recorded ? 'fired' : 'early');
    const own = keeper();
    const timer = timerIn(1000);
    await set(own, timer);
    await pass(5000);
    expect(servers.store.timers.pending.size).toBe(1);
    expect(servers.ledger.timers.timers.size).toBe(0);
    const tries = fired.length;
    recorded = true;
    await own.arm(timer);
    await pass(2000);
    expect(fired).toHaveLength(tries + 1);
    expect(servers.store.timers.pending.size).toBe(0);
  });
});
