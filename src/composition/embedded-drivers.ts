import { createValueCipher } from '../drivers/encryption/aes-value-cipher.js';
import type { EncryptionSource } from '../drivers/encryption/encryption-keys.js';
import { SealedRunStore } from '../drivers/encryption/sealed-run-store.js';
import { MemoryServers } from '../drivers/memory/memory-servers.js';
import type { Environment, ServerDrivers } from './server-drivers.js';

/** What an engine is connected to, be it servers or their stand-ins, which have no clients. */
export type Drivers = Omit<ServerDrivers, 'clients'> & Partial<Pick<ServerDrivers, 'clients'>>;

/**
 * Drivers that live in this process and forget everything with it.
 * @param servers what several of them share; default: their own
 * @param encryption of what the store holds; default: none
 */
export function createEmbeddedDrivers(
  { clock, logger }: Environment,
  servers: MemoryServers = new MemoryServers({ clock }),
  encryption?: EncryptionSource,
): Drivers {
  const { queue, store: inner, ledger, signals, timerRows, timerIndex } = servers.drivers(logger);
  const cipher = createValueCipher(encryption);
  const store = new SealedRunStore(inner, cipher);
  const parts = [queue, store, ledger, signals];
  return {
    queue,
    store,
    ledger,
    signals,
    timerRows,
    timerIndex,
    cipher,
    connect: async () => {
      for (const part of parts) await part.connect();
    },
    close: async () => {
      for (const part of parts) await part.close();
    },
  };
}
