import { beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryRunStore } from '../../../src/drivers/memory/memory-run-store.js';
import { RunList, type ListOptions } from '../../../src/engine/run-list.js';
import { ManualClock } from '../../support/manual-clock.js';
import { runRecord } from '../../support/run-records.js';

const HOUR_MS = 3_600_000;

describe('the list of runs', () => {
  const clock = new ManualClock();
  const hoursAgo = (hours: number) => new Date(clock.now() - hours * HOUR_MS);
  let store: MemoryRunStore;
  const listed = async (options: ListOptions) =>
    (await new RunList(store, clock).page(options)).runs.map(({ runId }) => runId);

  beforeEach(async () => {
    store = new MemoryRunStore();
    for (const hours of [-0.1, 1, 30, 50])
      await store.accept(runRecord({ runId: `${hours}h`, createdAt: hoursAgo(hours).getTime() }));
  });

  it('begins 24 hours ago, and has runs of clients whose clocks are ahead', async () => {
    expect(await listed({})).toEqual(['-0.1h', '1h']);
  });

  it('has older runs if it is asked for them', async () => {
    expect(await listed({ from: hoursAgo(40) })).toEqual(['-0.1h', '1h', '30h']);
    expect(await listed({ from: hoursAgo(40), to: hoursAgo(2) })).toEqual(['30h']);
  });

  it('begins 24 hours before its end if only that is given', async () => {
    expect(await listed({ to: hoursAgo(28) })).toEqual(['30h', '50h']);
    expect(await listed({ to: hoursAgo(48) })).toEqual(['50h']);
  });

  it('begins 24 hours ago although it ends in the future', async () => {
    expect(await listed({ to: hoursAgo(-72) })).toEqual(['-0.1h', '1h']);
  });

  it('goes on where a page has ended', async () => {
    const list = new RunList(store, clock);
    const options = { to: hoursAgo(28), limit: 1 };
    const { cursor, runs } = await list.page(options);
    expect(runs.map(({ runId }) => runId)).toEqual(['30h']);
    expect(await listed({ ...options, cursor: cursor ?? '' })).toEqual(['50h']);
  });
});
