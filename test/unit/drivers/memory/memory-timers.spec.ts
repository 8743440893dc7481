import {
  MemoryTimerData,
  MemoryTimerIndex,
  MemoryTimerIndexData,
  MemoryTimerRows,
} from '../../../../src/drivers/memory/memory-timers.js';
import { SystemClock } from '../../../../src/drivers/system/system-clock.js';
import { timerIndexContract, timerRowsContract } from '../../../contract/timers-contract.js';
import { ManualClock } from '../../../support/manual-clock.js';

timerRowsContract('memory', async () => ({
  rows: new MemoryTimerRows(new SystemClock(), new MemoryTimerData()),
  close: async () => undefined,
}));

timerIndexContract('memory', async () => {
  const clock = new ManualClock();
  const data = new MemoryTimerIndexData();
  return {
    one: new MemoryTimerIndex(clock, data),
    other: new MemoryTimerIndex(clock, data),
    now: async () => clock.now(),
    pass: async (ms) => clock.advance(ms),
    lose: async () => data.clear(),
    close: async () => undefined,
  };
});
