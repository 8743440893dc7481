/** A CPU profile of this process between `start` and `stop`. */
import { Session } from 'node:inspector/promises';

export class Profiler {
  #session = new Session();

  async start() {
    this.#session.connect();
    await this.#session.post('Profiler.enable');
    await this.#session.post('Profiler.setSamplingInterval', { interval: 200 });
    await this.#session.post('Profiler.start');
  }

  async startAllocations() {
    this.#session.connect();
    const flags = { includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true };
    await this.#session.post('HeapProfiler.startSampling', { samplingInterval: 16_384, ...flags });
  }

  async stopAllocations() {
    const { profile } = await this.#session.post('HeapProfiler.stopSampling');
    this.#session.disconnect();
    return profile;
  }

  async stop() {
    const { profile } = await this.#session.post('Profiler.stop');
    this.#session.disconnect();
    return profile;
  }
}
