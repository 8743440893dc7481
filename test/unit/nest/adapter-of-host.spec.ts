import { jest } from '@jest/globals';
import type { ServerDrivers } from '../../../src/composition/server-drivers.js';
import { FLOWCRAFT_DRIVERS, FlowcraftWorker, IllegalStateError } from '../../../src/index.js';
import { AdapterOfHost } from '../../../src/nest/adapter-of-host.js';
import { EngineHost } from '../../../src/nest/engine-host.js';
import type { FlowcraftKafkaTestOptions } from '../../../src/testing/index.js';
import { startApp, type TestApp } from '../../support/nest-app.js';

let opened: TestApp[] = [];

async function open(worker: FlowcraftKafkaTestOptions['worker']) {
  const started = await startApp({ worker });
  opened.push(started);
  const { app, logger } = started;
  const drivers = app.get<ServerDrivers>(FLOWCRAFT_DRIVERS);
  const host = app.get(EngineHost);
  return { app, logger, drivers, adapter: new AdapterOfHost(host, drivers, logger), worker: app.get(FlowcraftWorker) };
}

afterEach(async () => {
  await Promise.all(opened.map(({ app }) => app.close()));
  opened = [];
});

describe('the adapter of an application', () => {
  it('refuses to start a worker that is not enabled, and says so', async () => {
    const { adapter, worker } = await open({ enabled: false });
    expect(() => adapter.start()).toThrow('worker.enabled is false. Set it to true.');
    await expect(adapter.ready()).rejects.toBeInstanceOf(IllegalStateError);
    expect(worker.state).toBe('stopped');
  });

  it('is ready when a start that is under way has ended, whoever began it', async () => {
    const { adapter, worker } = await open({ autoStart: false });
    await expect(adapter.ready()).rejects.toThrow('The worker is stopped. Call start() first.');
    adapter.start();
    await adapter.ready();
    expect(worker.state).toBe('running');

    const other = await open({ autoStart: false });
    const started = other.worker.start();
    await other.adapter.ready();
    expect(other.worker.state).toBe('running');
    await started;
    other.adapter.start();
    await other.adapter.ready();
  });

  it('tells why the start failed, and may be started again', async () => {
    const { adapter, drivers, logger } = await open({ autoStart: false });
    const consume = jest.spyOn(drivers.queue, 'consume').mockRejectedValueOnce(new Error('no brokers'));
    adapter.start();
    await expect(adapter.ready()).rejects.toThrow('no brokers');
    expect(logger.lines.filter(({ level }) => level === 'error').map(({ message }) => message)).toEqual([
      'The worker cannot start.',
    ]);
    adapter.start();
    await adapter.ready();
    expect(consume).toHaveBeenCalledTimes(2);
  });
});
