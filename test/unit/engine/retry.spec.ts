import { describeRetry } from '../../contract/retry-contract.js';
import { startApp } from '../../support/nest-app.js';

describe('retry of a run, embedded', () => {
  describeRetry(async (runtime) => {
    const { app, client } = await startApp({ runtime });
    return { client, close: () => app.close() };
  });
});
