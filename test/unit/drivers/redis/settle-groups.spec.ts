import { describe, expect, it } from '@jest/globals';
import { UnavailableError } from '../../../../src/core/errors.js';
import type { SettleAnswer, SettleRequest } from '../../../../src/core/ledger-calls.js';
import { EncodedSettlement } from '../../../../src/drivers/redis/encoded-settlement.js';
import { SettleGroups, type Settle } from '../../../../src/drivers/redis/settle-groups.js';
import { arrivalAt } from '../../../support/random-settlements.js';

const settleOf = (runId: string): Settle => {
  const settlement = arrivalAt('join', 2, 'a');
  const request: SettleRequest = { settlement, token: 1, worker: 'w1', leaseMs: 1, claim: 0, maxTurns: 9 };
  return { runId, request, encoded: new EncodedSettlement(settlement) };
};

describe('settles of the same moment', () => {
  const together: string[][] = [];
  const alone: string[] = [];
  const groups = (most: number, settleAll: (runIds: readonly string[]) => readonly (SettleAnswer | undefined)[]) => {
    together.length = alone.length = 0;
    return new SettleGroups(
      most,
      async (settles) => {
        const runIds = settles.map(({ runId }) => runId);
        together.push(runIds);
        return settleAll(runIds);
      },
      async ({ runId }) => {
        alone.push(runId);
        return { kind: 'closed', status: runId };
      },
    );
  };
  const lost = (): SettleAnswer => ({ kind: 'lost' });

  it('go together under one name, up to so many', async () => {
    const all = groups(3, (runIds) => runIds.map(lost));
    const answers = await Promise.all(['1', '2', '3', '4', '5'].map((id) => all.settle('x', settleOf(id))));
    expect(answers).toEqual(Array.from({ length: 5 }, lost));
    expect(together).toEqual([
      ['1', '2', '3'],
      ['4', '5'],
    ]);
    await Promise.all([all.settle('x', settleOf('6')), all.settle('y', settleOf('7'))]);
    expect(together).toHaveLength(2);
    expect(alone).toEqual(['6', '7']);
  });

  it('are made alone where they could not be done with the others', async () => {
    const all = groups(9, (runIds) => runIds.map((runId) => (runId === '2' ? undefined : lost())));
    const answers = await Promise.all(['1', '2', '3'].map((id) => all.settle('x', settleOf(id))));
    expect(answers).toEqual([lost(), { kind: 'closed', status: '2' }, lost()]);
  });

  it('are made alone where the server refuses them together: what is wrong with one is nothing to the others', async () => {
    const all = groups(9, () => {
      throw new Error('WRONGTYPE');
    });
    await Promise.all(['1', '2'].map((id) => all.settle('x', settleOf(id))));
    expect(alone).toEqual(['1', '2']);
  });

  it('all fail while the server is away', async () => {
    const away = new UnavailableError('redis', 'settling', new Error('down'));
    const all = groups(9, () => {
      throw away;
    });
    const settled = await Promise.allSettled(['1', '2'].map((id) => all.settle('x', settleOf(id))));
    expect(settled.map((one) => one.status === 'rejected' && one.reason === away)).toEqual([true, true]);
    expect(alone).toEqual([]);
  });
});
