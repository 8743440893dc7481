import { describe, expect, it } from '@jest/globals';
import { LedgerState } from '../../../../src/core/ledger-state.js';
import type { RedisClient } from '../../../../src/drivers/redis/redis-client.js';
import { RedisLedger } from '../../../../src/drivers/redis/redis-ledger.js';
import { arrivalAt } from '../../../support/random-settlements.js';

const APART = "CROSSSLOT Keys in request don't hash to the same slot";

describe('a ledger in Redis, where keys of a run and of the fleet do not lie together', () => {
  /** A client whose server answers 1, or refuses with the error that is given for a script. */
  const ledgerOf = (errors: Record<string, Error>, isCluster = false) => {
    const calls: string[] = [];
    const call = (operation: string) => {
      calls.push(operation);
      const error = errors[operation];
      return error ? Promise.reject(error) : Promise.resolve(1);
    };
    return { calls, ledger: new RedisLedger({ isCluster, call } as unknown as RedisClient) };
  };
  const refused = () => new Error(APART);

  it('begins and concludes runs in two steps', async () => {
    const { calls, ledger } = ledgerOf({}, true);
    await ledger.begin('r', new LedgerState());
    expect(await ledger.conclude('r', 'completed', 5)).toBe(true);
    expect(calls).toEqual(['install', 'touch', 'end', 'forget']);
  });

  it('learns that from the first refusal', async () => {
    const { calls, ledger } = ledgerOf({ begin: refused(), conclude: refused() });
    await ledger.begin('r', new LedgerState());
    expect(await ledger.conclude('r', 'completed', 5)).toBe(true);
    expect(calls).toEqual(['begin', 'install', 'touch', 'end', 'forget']);
  });

  const settle = (node: string) => ({
    settlement: arrivalAt('next', 1, node),
    token: 1,
    worker: 'w1',
    leaseMs: 1,
    claim: 0,
    maxTurns: 9,
  });
  const settleTwo = async (ledger: RedisLedger) =>
    Promise.all(['r1', 'r2'].map((runId) => ledger.settle(runId, settle('a')))).catch(() => undefined);

  it('settles turns of several runs each by itself', async () => {
    const { calls, ledger } = ledgerOf({}, true);
    await settleTwo(ledger);
    expect(calls).toEqual(['settle', 'settle']);
  });

  it('settles turns of several runs each by itself after the first refusal', async () => {
    const { calls, ledger } = ledgerOf({ settleStraight: refused() });
    await settleTwo(ledger);
    await settleTwo(ledger);
    expect(calls).toEqual(['settleStraight', 'settle', 'settle', 'settle', 'settle']);
  });

  it('takes no other error for it', async () => {
    const { calls, ledger } = ledgerOf({ conclude: new Error('ERR wrong number of arguments') });
    await expect(ledger.conclude('r', 'completed', 5)).rejects.toThrow('ERR wrong');
    expect(calls).toEqual(['conclude']);
  });
});
