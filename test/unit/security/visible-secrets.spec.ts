import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import {
  FlowcraftClient,
  FlowcraftHealth,
  FlowcraftReconciler,
  FlowcraftWebhooks,
  FlowcraftWorker,
} from '../../../src/index.js';
import { startApp } from '../../support/nest-app.js';

const SECRET = 'S3CR3T-of-enough-characters';
const KEY = Buffer.alloc(32, 'k');
const PROVIDERS = [FlowcraftClient, FlowcraftHealth, FlowcraftReconciler, FlowcraftWebhooks, FlowcraftWorker];

describe('what is injected', () => {
  it.each(PROVIDERS)('shows no secret when it is logged: %p', async (provider) => {
    const { app } = await startApp({
      encryption: { activeKeyId: 'k1', keys: { k1: KEY } },
      webhooks: { baseUrl: 'https://example.test', hmac: { secret: SECRET } },
    });
    try {
      const shown = inspect(app.get(provider), { depth: 4 });
      expect(shown).not.toContain(SECRET);
      expect(shown).not.toContain('6b 6b 6b');
    } finally {
      await app.close();
    }
  });
});
