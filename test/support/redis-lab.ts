import { UnavailableError } from '../../src/core/errors.js';
import { FaultProxy } from './fault-proxy.js';
import { RedisFixture } from './redis-fixture.js';
import { RedisServer } from './redis-server.js';

/** Long enough for a server to start, and for connections to come back. */
export const TIMEOUT_MS = 30_000;

/** Servers, proxies and ledgers of one test; `close` ends them all, the last one first. */
export class RedisLab {
  private readonly opened: (() => Promise<unknown>)[] = [];

  async server(...args: string[]): Promise<RedisServer> {
    const started = await RedisServer.start(args);
    this.onClose(() => started.stop());
    return started;
  }

  async proxyTo(port: number): Promise<FaultProxy> {
    const proxy = await FaultProxy.open(port);
    this.onClose(() => proxy.close());
    return proxy;
  }

  async fixtureAt(...args: ConstructorParameters<typeof RedisFixture>): Promise<RedisFixture> {
    const fixture = await RedisFixture.open(...args);
    this.onClose(() => fixture.ledger.close());
    return fixture;
  }

  onClose(close: () => Promise<unknown>): void {
    this.opened.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.opened.splice(0).reverse()) await close();
  }
}

/** As the engine does: again, while it may succeed later. */
export async function untilAnswered<T>(call: () => Promise<T>): Promise<T> {
  const end = Date.now() + 15_000;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof UnavailableError) || Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

export async function untilRefused(call: () => Promise<unknown>): Promise<unknown> {
  for (;;) {
    try {
      await call();
    } catch (error) {
      return error;
    }
  }
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('It did not happen.');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
