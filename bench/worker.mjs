/** A worker of one system in a process of its own. Commands and answers go over the channel to the parent. */
import { Stamps } from './nodes.mjs';
import { Profiler } from './profiler.mjs';

const [, , system, text] = process.argv;
const config = JSON.parse(text);
const counters = config.count ? await import('./counters.mjs') : undefined;
counters?.countRequests();
const stamps = new Stamps();
const profiler = new Profiler();
const { startWorker } = await import(`./systems/${system}.mjs`);
const stop = await startWorker(config, stamps);

const commands = {
  /** CPU in microseconds since the start, memory in bytes. */
  usage: () => ({ cpu: process.cpuUsage(), memory: process.memoryUsage() }),
  stamps: () => stamps.clear(),
  counts: () => counters?.takeCounts(),
  startProfile: () => profiler.start(),
  stopProfile: () => profiler.stop(),
  startAllocations: () => profiler.startAllocations(),
  stopAllocations: () => profiler.stopAllocations(),
  ...stop.commands,
  stop: async () => {
    await stop();
    process.disconnect();
  },
};

process.on('message', async ({ id, command, argument }) => {
  const answer = await commands[command](argument);
  if (process.connected) process.send({ id, answer });
  if (command === 'stop') setTimeout(() => process.exit(0), 2000).unref();
});
// whoever started this worker is gone
process.on('disconnect', () => process.exit());
process.send({ ready: true });
