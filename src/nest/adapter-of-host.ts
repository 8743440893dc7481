import type { SessionHost } from '../adapter/adapter-host.js';
import type { AdapterEngine } from '../adapter/adapter-session.js';
import type { ServerDrivers } from '../composition/server-drivers.js';
import { IllegalStateError } from '../core/errors.js';
import type { Logger } from '../ports/logger.js';
import type { EngineHost } from './engine-host.js';

/** Lets the injected KafkaAdapter work with the engine of the application, which starts and ends it. */
export class AdapterOfHost implements SessionHost {
  constructor(
    private readonly host: EngineHost,
    private readonly drivers: ServerDrivers,
    private readonly logger: Logger,
  ) {}

  start(): void {
    void this.launch();
  }

  async ready(): Promise<void> {
    const { worker } = await this.host.ready();
    if (worker.state !== 'running') throw new IllegalStateError(`The worker is ${worker.state}.`);
  }

  async use<T>(work: (session: AdapterEngine) => Promise<T>): Promise<T> {
    return work({ engine: await this.host.ready(), drivers: this.drivers, logger: this.logger });
  }

  async stop(): Promise<void> {
    await this.host.engine?.worker.drain();
  }

  private async launch(): Promise<void> {
    try {
      const { worker } = await this.host.ready();
      if (worker.state === 'stopped') await worker.start();
    } catch (error) {
      this.logger.error('The worker cannot start.', { error });
    }
  }
}
