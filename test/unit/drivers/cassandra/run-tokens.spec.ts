import { describe, expect, it } from '@jest/globals';
import type { token } from 'cassandra-driver';
import { RunTokens } from '../../../../src/drivers/cassandra/run-tokens.js';

describe('where the rows of a run lie', () => {
  const asked: string[] = [];
  const clientOf = (nodes: number) => {
    const newToken = (key: Buffer) => {
      asked.push(key.toString());
      return { of: key.toString() } as unknown as token.Token;
    };
    return { hosts: { length: nodes }, metadata: { newToken } } as unknown as ConstructorParameters<
      typeof RunTokens
    >[0];
  };

  it('is worked out once for each run, so that its writes go to a node that has them', () => {
    const tokens = new RunTokens(clientOf(3));
    expect(tokens.of('a')).toEqual({ of: 'a' });
    expect(tokens.of('b')).toEqual({ of: 'b' });
    expect(tokens.of('a')).toBe(tokens.of('a'));
    expect(asked).toEqual(['a', 'b']);
  });

  it('is not asked where one node has all of them', () => {
    expect(new RunTokens(clientOf(1)).of('c')).toBeUndefined();
    expect(asked).not.toContain('c');
  });
});
