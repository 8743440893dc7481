import type { SessionHost } from '../adapter/adapter-host.js';
import type { AdapterEngine } from '../adapter/adapter-session.js';
import type { ServerDrivers } from '../composition/server-drivers.js';
import { IllegalStateError } from '../core/errors.js';
import type { Logger } from '../ports/logger.js';
import type { EngineHost } from './engine-host.js';

/** Lets the injected KafkaAdapter work with the engine of the application, which starts and ends it. */
export class AdapterOfHost implements SessionHost {
  private launching: Promise<void> | undefined;

  constructor(
    private readonly host: EngineHost,
    private readonly drivers: ServerDrivers,
    private readonly logger: Logger,
  ) {}

  /** Starts the worker in the background, unless it has started. @throws IllegalStateError if the worker is not enabled */
  start(): void {
    this.host.assertWorker();
    this.launching = this.launch();
  }

  /** Resolves when a start that is under way has ended well, or rejects as it does. @throws IllegalStateError without one */
  async ready(): Promise<void> {
    this.host.assertWorker();
    await this.launching;
    const { worker } = await this.host.ready();
    await this.host.workerStarted();
    if (worker.state === 'running') return;
    const next = worker.state === 'stopped' ? 'Call start() first.' : 'It does not start again; start another process.';
    throw new IllegalStateError(`The worker is ${worker.state}. ${next}`);
  }

  async use<T>(work: (session: AdapterEngine) => Promise<T>): Promise<T> {
    return work({ engine: await this.host.ready(), drivers: this.drivers, logger: this.logger });
  }

  async stop(): Promise<void> {
    await this.host.engine?.worker.drain();
  }

  /** What fails is logged; `ready` learns of it from the host. */
  private async launch(): Promise<void> {
    try {
      const { worker } = await this.host.ready();
      if (worker.state === 'stopped') await this.host.startWorker();
    } catch (error) {
      this.logger.error('The worker cannot start.', { error });
    }
  }
}
