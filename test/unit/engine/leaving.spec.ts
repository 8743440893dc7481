import { afterEach, describe, expect, it } from '@jest/globals';
import { Fleet } from '../../support/fleet.js';

describe('whoever waits for a run in a process that closes', () => {
  let fleet: Fleet;
  afterEach(() => fleet.end());

  it('is told how it has ended, also if that takes another look into the store', async () => {
    fleet = new Fleet({}, [{ id: 'waits', nodes: [{ id: 'w', uses: 'wait' }], edges: [] }]);
    let isSlow = false;
    const { engine } = await fleet.process(async (name, _args, make) => {
      // the errors of a cancelled run are read from its journal
      if (isSlow && name === 'turns') await new Promise((resolve) => setTimeout(resolve, 50));
      return make();
    });
    await engine.worker.start();
    const { runId } = await engine.client.start('waits', {}, {});
    await engine.client.wait(runId, { until: 'settled' });
    const wait = engine.client.wait(runId, {});
    await engine.client.cancel(runId, undefined);
    isSlow = true;
    await engine.endWaits();
    engine.close();
    expect(await wait).toMatchObject({ status: 'cancelled' });
  });

  it('is told of that within a second, whatever the store does', async () => {
    fleet = new Fleet({}, [{ id: 'waits', nodes: [{ id: 'w', uses: 'wait' }], edges: [] }]);
    let hangs = false;
    const { engine } = await fleet.process((name, _args, make) =>
      hangs && name === 'status' ? new Promise(() => {}) : make(),
    );
    await engine.worker.start();
    const { runId } = await engine.client.start('waits', {}, {});
    await engine.client.wait(runId, { until: 'settled' });
    void engine.client.wait(runId, {}).catch(() => {});
    hangs = true;
    const began = performance.now();
    await engine.endWaits();
    expect(performance.now() - began).toBeLessThan(1_500);
  });
});
