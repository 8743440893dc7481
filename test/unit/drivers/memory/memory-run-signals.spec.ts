import { describe, expect, it } from '@jest/globals';
import { MemoryRunSignals, MemorySignalBus } from '../../../../src/drivers/memory/memory-run-signals.js';
import { runSignalsContract } from '../../../contract/run-signals-contract.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

const open = async (logger = new RecordingLogger()) => {
  const bus = new MemorySignalBus();
  const [one, other] = [new MemoryRunSignals(bus, logger), new MemoryRunSignals(bus, logger)];
  await one.connect();
  await other.connect();
  const close = async () => {
    await one.close();
    await other.close();
  };
  return { one, other, close };
};

runSignalsContract('memory', () => open());

describe('MemoryRunSignals', () => {
  it('logs what a listener throws', async () => {
    const logger = new RecordingLogger();
    const { one, other, close } = await open(logger);
    one.onCancel(() => {
      throw new Error('no');
    });
    const heard = new Promise((resolve) => other.onCancel(resolve));
    await one.announceCancel('r');
    await heard;
    expect(logger.lines.map((line) => line.level)).toEqual(['error']);
    await close();
  });

  it('does not call a listener within the announcement', async () => {
    const { one, close } = await open();
    let heard = false;
    const hearing = new Promise<void>((resolve) =>
      one.onCancel(() => {
        heard = true;
        resolve();
      }),
    );
    await one.announceCancel('r');
    expect(heard).toBe(false);
    await hearing;
    await close();
  });
});
