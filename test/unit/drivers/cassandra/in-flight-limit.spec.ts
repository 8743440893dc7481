import { describe, expect, it } from '@jest/globals';
import { InFlightLimit } from '../../../../src/drivers/cassandra/in-flight-limit.js';

async function within<T>(limit: InFlightLimit, statement: () => Promise<T>): Promise<T> {
  await limit.enter();
  try {
    return await statement();
  } finally {
    limit.leave();
  }
}

describe('the limit of statements in flight', () => {
  it('lets no more run than it allows, and all of them in the end, in their order', async () => {
    const limit = new InFlightLimit(3);
    const begun: number[] = [];
    let running = 0;
    let most = 0;
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        within(limit, async () => {
          begun.push(i);
          most = Math.max(most, ++running);
          await new Promise((resolve) => setImmediate(resolve));
          running--;
          return i;
        }),
      ),
    );
    expect(most).toBe(3);
    expect(begun).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(results).toEqual(begun);
  });

  it('gives the place of a statement that failed to the next', async () => {
    const limit = new InFlightLimit(1);
    const failing = within(limit, () => Promise.reject(new Error('refused')));
    const next = within(limit, async () => 'next');
    await expect(failing).rejects.toThrow('refused');
    await expect(next).resolves.toBe('next');
  });
});
