import { describe, expect, it } from '@jest/globals';
import { PreparedBatches } from '../../../../src/drivers/cassandra/prepared-batches.js';

const turn = (n: number) => ({ query: 'INSERT a', params: [n, `t${n}`] });
const value = (n: number) => ({ query: 'INSERT b', params: [`v${n}`] });

describe('statements as one prepared batch', () => {
  it('has the statements in their order, and their parameters', () => {
    const batches = new PreparedBatches();
    expect(batches.of([turn(1), value(2), value(3)])).toEqual({
      query: 'BEGIN BATCH INSERT a; INSERT b; INSERT b; APPLY BATCH',
      params: [1, 't1', 'v2', 'v3'],
    });
    expect(batches.of([value(1), turn(2)])).toEqual({
      query: 'BEGIN BATCH INSERT b; INSERT a; APPLY BATCH',
      params: ['v1', 2, 't2'],
    });
    expect(batches.of([turn(4), value(5)])?.query).toBe('BEGIN BATCH INSERT a; INSERT b; APPLY BATCH');
  });

  it('has one text for each sequence, so that each is prepared once', () => {
    const batches = new PreparedBatches();
    const texts = new Set<string>();
    for (let i = 0; i < 100; i++) texts.add(batches.of([turn(i), value(i), value(i + 1)])?.query ?? '');
    expect(texts.size).toBe(1);
  });

  it('leaves one statement as it is, and leaves out many', () => {
    const batches = new PreparedBatches();
    expect(batches.of([])).toBeUndefined();
    expect(batches.of([turn(1)])).toEqual(turn(1));
    expect(batches.of([1, 2, 3, 4].map(turn))).toBeDefined();
    expect(batches.of([1, 2, 3, 4, 5].map(turn))).toBeUndefined();
  });
});
