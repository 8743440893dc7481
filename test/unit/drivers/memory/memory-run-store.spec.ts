import { MemoryRunStore, MemoryStoreData } from '../../../../src/drivers/memory/memory-run-store.js';
import { runStoreContract } from '../../../contract/run-store-contract.js';

runStoreContract('memory', async () => {
  const data = new MemoryStoreData();
  const store = new MemoryRunStore(data);
  await store.connect();
  await store.provision();
  return {
    store,
    close: () => store.close(),
    writeForeign: async (runId, text) => {
      data.foreign.set(runId, { data: text, stamp: Date.now() * 1000 });
    },
  };
});
