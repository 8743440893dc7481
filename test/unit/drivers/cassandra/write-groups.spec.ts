import { beforeEach, describe, expect, it } from '@jest/globals';
import { UnavailableError } from '../../../../src/core/errors.js';
import { WriteTooLargeError } from '../../../../src/core/limit-errors.js';
import type { Statement } from '../../../../src/drivers/cassandra/cassandra-session.js';
import { WriteGroups } from '../../../../src/drivers/cassandra/write-groups.js';
import { endOfMoment } from '../../../../src/drivers/system/moment.js';
import { deferred } from '../../../support/nest-app.js';

describe('writes to one partition', () => {
  let mutations: string[];
  let answer: (queries: string) => Promise<void>;
  let groups: WriteGroups;

  const statement = (query: string, characters: number): Statement => ({ query, params: [1, 'x'.repeat(characters)] });
  const add = (partition: string, query: string, characters = 10) =>
    groups.add(partition, [statement(query, characters)]);

  beforeEach(() => {
    mutations = [];
    answer = async () => undefined;
    groups = new WriteGroups((statements) => {
      const queries = statements.map(({ query }) => query).join(' ');
      mutations.push(queries);
      return answer(queries);
    });
  });

  it('go as one mutation when they are made in one moment, however deep in promises', async () => {
    const later = async () => {
      for (let i = 0; i < 10; i++) await Promise.resolve();
      await add('r', 'c');
    };
    await Promise.all([add('r', 'a'), add('r', 'b'), later(), add('other', 'x')]);
    expect(mutations).toEqual(['a b c', 'x']);
    await add('r', 'd');
    expect(mutations).toEqual(['a b c', 'x', 'd']);
  });

  it('go as several when they are large or many', async () => {
    await Promise.all([add('r', 'a', 40_000), add('r', 'b', 40_000), add('r', 'c')]);
    expect(mutations).toEqual(['a', 'b c']);
    mutations = [];
    await Promise.all(Array.from({ length: 250 }, (_, i) => add('r', String(i))));
    expect(mutations.map((queries) => queries.split(' ').length)).toEqual([100, 100, 50]);
  });

  it('go as one while another is under way, also those that several timers bring', async () => {
    const [first, second] = [deferred(), deferred()];
    answer = () => first.promise;
    const ends = [add('r', 'a')];
    await endOfMoment();
    const timers = ['b', 'c'].map(
      (query) => new Promise<void>((resolve) => setTimeout(() => (ends.push(add('r', query)), resolve()), 1)),
    );
    const until = performance.now() + 5;
    while (performance.now() < until); // both are due by then
    answer = () => second.promise;
    await Promise.all(timers);
    await new Promise((resolve) => setImmediate(resolve));
    expect(mutations).toEqual(['a', 'b c']);
    first.resolve();
    second.resolve();
    await Promise.all(ends);
    // nothing is under way any more: a write waits for nothing
    const last = add('r', 'd');
    await endOfMoment();
    await Promise.resolve();
    expect(mutations).toEqual(['a', 'b c', 'd']);
    await last;
  });

  it('go each alone when they are refused together, so that only the one fails that has to', async () => {
    const refusal = new WriteTooLargeError('All that was written', 2, 1);
    answer = async (queries) => {
      if (queries.includes('b')) throw refusal;
    };
    const ends = await Promise.allSettled([add('r', 'a'), add('r', 'b'), add('r', 'c')]);
    expect(ends.map((end) => (end.status === 'rejected' ? end.reason : 'written'))).toEqual([
      'written',
      refusal,
      'written',
    ]);
    expect(mutations).toEqual(['a b c', 'a', 'b', 'c']);
  });

  it('all fail, once, when the database does not answer', async () => {
    answer = () => Promise.reject(new UnavailableError('cassandra', 'writing a turn', new Error('down')));
    const ends = await Promise.allSettled([add('r', 'a'), add('r', 'b')]);
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(mutations).toEqual(['a b']);
    // what has failed is not under way any more
    const next = add('r', 'c').catch(() => undefined);
    await endOfMoment();
    await Promise.resolve();
    expect(mutations).toEqual(['a b', 'c']);
    await next;
  });
});
