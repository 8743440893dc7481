import { beforeEach, describe, expect, it } from '@jest/globals';
import type { types } from 'cassandra-driver';
import { UnavailableError } from '../../../../src/core/errors.js';
import { IN_LIMIT, ReadGroups } from '../../../../src/drivers/cassandra/read-groups.js';

describe('reads of one partition', () => {
  let asked: [string, readonly string[]][];
  let groups: ReadGroups<string>;
  let error: Error;

  beforeEach(() => {
    asked = [];
    error = new Error('broken');
    groups = new ReadGroups(async (partition, keys) => {
      asked.push([partition, [...keys]]);
      if (keys.includes('broken')) throw error;
      return keys.map((key) => ({ key }) as unknown as types.Row);
    });
  });

  it('go as one when they are asked for in one moment', async () => {
    const answers = await Promise.all([
      groups.ask('r', ['a']),
      groups.ask('r', ['b', 'c']),
      Promise.resolve().then(() => groups.ask('r', ['d'])),
      groups.ask('other', ['x']),
    ]);
    expect(asked).toEqual([
      ['r', ['a', 'b', 'c', 'd']],
      ['other', ['x']],
    ]);
    expect(answers[0]).toHaveLength(4);
    await groups.ask('r', ['e']);
    expect(asked).toHaveLength(3);
  });

  it('go as several when they ask for many rows', async () => {
    await Promise.all(Array.from({ length: 60 }, (_, i) => groups.ask('r', [String(i)])));
    expect(asked.map(([, keys]) => keys.length)).toEqual([IN_LIMIT, IN_LIMIT, 10]);
    asked = [];
    const twenty = Array.from({ length: 20 }, (_, i) => String(i));
    await Promise.all([groups.ask('r', twenty), groups.ask('r', twenty)]);
    expect(asked.map(([, keys]) => keys.length)).toEqual([20, 20]);
  });

  it('go each alone when they are refused together', async () => {
    const ends = await Promise.allSettled([groups.ask('r', ['a']), groups.ask('r', ['broken'])]);
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(asked.map(([, keys]) => keys)).toEqual([['a', 'broken'], ['a'], ['broken']]);
  });

  it('all fail, once, when the database does not answer', async () => {
    error = new UnavailableError('cassandra', 'reading', new Error('down'));
    const ends = await Promise.allSettled([groups.ask('r', ['a']), groups.ask('r', ['broken'])]);
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(asked).toHaveLength(1);
    expect(await groups.ask('r', ['a'])).toHaveLength(1);
  });
});
