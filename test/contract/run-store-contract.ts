import { afterAll, beforeAll, describe } from '@jest/globals';
import type { RunStore } from '../../src/ports/run-store.js';
import { journalContract } from './run-store-journal-contract.js';
import { runHeadContract } from './run-store-head-contract.js';
import { statusContract } from './run-store-status-contract.js';
import { webhookContract } from './run-store-webhook-contract.js';
import { STORE_TIMEOUT_MS, type OpenRunStore, type RunStoreBench } from './run-store-bench.js';

export type { OpenRunStore, RunStoreBench } from './run-store-bench.js';

/** What every RunStore must do. `open` is called once. */
export function runStoreContract(name: string, open: OpenRunStore): void {
  describe(`RunStore contract: ${name}`, () => {
    let bench: RunStoreBench;
    beforeAll(async () => {
      bench = await open();
    }, STORE_TIMEOUT_MS);
    afterAll(() => bench.close(), STORE_TIMEOUT_MS);
    const store = (): RunStore => bench.store;
    runHeadContract(store);
    journalContract(store);
    statusContract(store, () => bench);
    webhookContract(store);
  });
}
