import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { hashOfToken, type WebhookCall, type WebhookRecord } from '../../src/core/webhook.js';
import type { RunStore } from '../../src/ports/run-store.js';
import { STORE_TIMEOUT_MS } from './run-store-bench.js';

const DAY_MS = 86_400_000;

function hookOf(changes: Partial<WebhookRecord> = {}): WebhookRecord {
  const runId = `run-${randomUUID()}`;
  return { hash: hashOfToken(randomUUID()), runId, nodeId: 'h', turn: '1', expiresAt: Date.now() + DAY_MS, ...changes };
}

function callOf(changes: Partial<WebhookCall> = {}): WebhookCall {
  const runId = `run-${randomUUID()}`;
  return { runId, nodeId: 'h', turn: '1', id: randomUUID(), output: '{"v":1}', at: Date.now(), ...changes };
}

/** Addresses for the outside world, and calls that came early. */
export function webhookContract(store: () => RunStore): void {
  describe('webhooks', () => {
    it(
      'are found by their hash, as often as they were added, and by no other',
      async () => {
        const hook = hookOf({ nodeId: 'a"\u00e4', turn: '2/3' });
        await store().addWebhook(hook);
        await store().addWebhook(hook);
        expect(await store().webhook(hook.hash)).toEqual({ ...hook, used: false });
        expect(await store().webhook(hashOfToken('another'))).toBeUndefined();
      },
      STORE_TIMEOUT_MS,
    );

    it(
      'stay used, whatever is repeated',
      async () => {
        const hook = hookOf();
        await store().addWebhook(hook);
        await store().useWebhook(hook);
        await store().useWebhook(hook);
        await store().addWebhook(hook);
        expect(await store().webhook(hook.hash)).toMatchObject({ used: true });
      },
      STORE_TIMEOUT_MS,
    );

    it(
      'may be valid for thirty years',
      async () => {
        const hook = hookOf({ expiresAt: Date.now() + 30 * 365 * DAY_MS });
        await store().addWebhook(hook);
        await store().useWebhook(hook);
        expect(await store().webhook(hook.hash)).toEqual({ ...hook, used: true });
      },
      STORE_TIMEOUT_MS,
    );
  });

  describe('calls that are kept', () => {
    it(
      'are one for a turn: the first of those that race, which may be repeated',
      async () => {
        const { runId } = callOf();
        const calls = Array.from({ length: 8 }, (_, i) => callOf({ runId, output: `{"v":${i}}` }));
        const kept = await Promise.all(calls.map((call) => store().keepCall(call)));
        expect(kept.filter((isKept) => isKept)).toHaveLength(1);
        const winner = calls[kept.indexOf(true)] as WebhookCall;
        expect(await store().keptCall(runId, winner)).toEqual(winner);
        expect(await store().keepCall(winner)).toBe(true);
        expect(await store().keepCall(callOf({ runId }))).toBe(false);
      },
      STORE_TIMEOUT_MS,
    );

    it(
      'are told apart by node and turn',
      async () => {
        const one = callOf();
        const others = [callOf({ runId: one.runId, nodeId: 'i' }), callOf({ runId: one.runId, turn: '2' })];
        for (const call of [one, ...others]) expect(await store().keepCall(call)).toBe(true);
        for (const call of [one, ...others]) expect(await store().keptCall(call.runId, call)).toEqual(call);
        expect(await store().keptCall(one.runId, { nodeId: 'i', turn: '2' })).toBeUndefined();
      },
      STORE_TIMEOUT_MS,
    );

    it(
      'are gone when they are dropped, and only they; another may come then',
      async () => {
        const call = callOf();
        await store().keepCall(call);
        await store().dropCall({ ...call, id: randomUUID() });
        expect(await store().keptCall(call.runId, call)).toEqual(call);
        await store().dropCall(call);
        await store().dropCall(call);
        expect(await store().keptCall(call.runId, call)).toBeUndefined();
        expect(await store().keepCall(callOf({ runId: call.runId }))).toBe(true);
      },
      STORE_TIMEOUT_MS,
    );
  });
}
