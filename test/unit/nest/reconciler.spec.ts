import { ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { jest } from '@jest/globals';
import {
  FLOWCRAFT_CLOCK,
  FlowcraftKafkaModule,
  FlowcraftReconciler,
  RECONCILER_CRON_NAME,
} from '../../../src/index.js';
import { EngineHost } from '../../../src/nest/engine-host.js';
import type { Reconciler } from '../../../src/engine/reconciler.js';
import { ManualClock } from '../../support/manual-clock.js';
import { builderOf, deferred, rootModule } from '../../support/nest-app.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const NOTHING = { stalledRuns: 0, reconciledRuns: 0, failedRuns: 0 };
const OWN_TIME = /keeps its own time/;

async function start(cron: string, { schedule = true, enabled = true, cronJobs = true } = {}) {
  const logger = new RecordingLogger();
  const ours = FlowcraftKafkaModule.forRoot({ embedded: true, reconciler: { cron, enabled } });
  const root = rootModule(schedule ? [ours, ScheduleModule.forRoot({ cronJobs })] : [ours]);
  const app = await builderOf(root, logger).compile();
  await app.init();
  const reconciler = app.get(FlowcraftReconciler);
  const engine = (await app.get(EngineHost).ready()).reconciler;
  const told = () => logger.lines.some(({ message }) => OWN_TIME.test(message));
  return { app, logger, reconciler, engine, told };
}

function sweeps(engine: Reconciler, count: number): { seen: Promise<void>; times: number[] } {
  const seen = deferred();
  const times: number[] = [];
  jest.spyOn(engine, 'sweep').mockImplementation(async () => {
    if (times.push(Date.now()) === count) seen.resolve();
    return NOTHING;
  });
  return { seen: seen.promise, times };
}

describe('FlowcraftReconciler', () => {
  it("sweeps at the configured times, once each, by the application's ScheduleModule", async () => {
    const { app, engine, told } = await start('* * * * * *');
    const { seen, times } = sweeps(engine, 2);
    await seen;
    await app.close();
    expect(Math.floor((times[1] ?? 0) / 1000) - Math.floor((times[0] ?? 0) / 1000)).toBe(1);
    expect(told()).toBe(false);
  });

  it('is a cron job of the registry under its name, with the configured expression', async () => {
    const { app } = await start('0 30 4 * * *');
    const job = app.get(SchedulerRegistry).getCronJob(RECONCILER_CRON_NAME);
    expect(job.cronTime.source).toBe('0 30 4 * * *');
    expect(job.isActive).toBe(true);
    await app.close();
    expect(job.isActive).toBe(false);
  });

  it.each([
    ['without ScheduleModule', { schedule: false }],
    ['with a ScheduleModule that runs no cron jobs', { cronJobs: false }],
  ])('keeps its own time %s, and says so once', async (_name, options) => {
    const { app, engine, told } = await start('* * * * * *', options);
    expect(told()).toBe(true);
    const { seen } = sweeps(engine, 2);
    await seen;
    await app.close();
  });

  it('does neither when it is disabled', async () => {
    const { app, told } = await start('* * * * * *', { enabled: false });
    const job = app.get(SchedulerRegistry).getCronJob(RECONCILER_CRON_NAME);
    expect(job.isActive).toBe(false);
    expect(told()).toBe(false);
    await app.close();
  });

  it('shares a sweep among those who ask for one meanwhile, and skips ticks', async () => {
    const { app, reconciler, engine } = await start('0 0 0 1 1 *');
    const end = deferred();
    const sweep = jest.spyOn(engine, 'sweep').mockImplementation(async () => {
      await end.promise;
      return NOTHING;
    });
    const both = [reconciler.run(), reconciler.run()];
    await reconciler.tick();
    end.resolve();
    expect(await Promise.all(both)).toEqual([NOTHING, NOTHING]);
    expect(sweep).toHaveBeenCalledTimes(1);
    await app.close();
  });

  it('logs a sweep that fails by the clock, and throws it to those who call run()', async () => {
    const { app, reconciler, engine, logger } = await start('0 0 0 1 1 *');
    jest.spyOn(engine, 'sweep').mockRejectedValue(new Error('no answer'));
    await reconciler.tick();
    expect(logger.lines.filter((l) => l.level === 'error')).toMatchObject([
      { message: 'The sweep failed; the next one tries again: no answer' },
    ]);
    await expect(reconciler.run()).rejects.toThrow('no answer');
    await app.close();
  });

  it('answers the counts of a real sweep', async () => {
    const { app, reconciler } = await start('0 0 0 1 1 *');
    expect(await reconciler.run()).toEqual(NOTHING);
    await app.close();
  });

  it('lets the sweep that is under way end before the connections are closed', async () => {
    const { app, reconciler, engine } = await start('0 0 0 1 1 *');
    const end = deferred();
    jest.spyOn(engine, 'sweep').mockImplementation(async () => {
      await end.promise;
      return NOTHING;
    });
    const swept = reconciler.run();
    let isClosed = false;
    const closed = app.close().then(() => (isClosed = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isClosed).toBe(false);
    end.resolve();
    await Promise.all([swept, closed]);
  });
});

it('its own timer is gone after close', async () => {
  const clock = new ManualClock();
  const root = rootModule([FlowcraftKafkaModule.forRoot({ embedded: true })]);
  const app = await builderOf(root, new RecordingLogger()).overrideProvider(FLOWCRAFT_CLOCK).useValue(clock).compile();
  await app.init();
  expect(clock.pending).toBeGreaterThan(0);
  await app.close();
  expect(clock.pending).toBe(0);
});

it('its own timer takes what a test puts in its place, with run() only', async () => {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const run = jest.fn(async () => {
    throw new Error('no sweep');
  });
  const root = rootModule([FlowcraftKafkaModule.forRoot({ embedded: true, reconciler: { cron: '* * * * * *' } })]);
  const builder = builderOf(root, logger).overrideProvider(FlowcraftReconciler).useValue({ run });
  const app = await builder.overrideProvider(FLOWCRAFT_CLOCK).useValue(clock).compile();
  await app.init();
  clock.advance(1100);
  await app.close();
  expect(run).toHaveBeenCalled();
  expect(logger.lines).toContainEqual(
    expect.objectContaining({ level: 'error', message: expect.stringMatching(/sweep failed/) }),
  );
});
