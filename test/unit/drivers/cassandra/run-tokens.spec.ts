import { describe, expect, it } from '@jest/globals';
import type { token } from 'cassandra-driver';
import { RunTokens } from '../../../../src/drivers/cassandra/run-tokens.js';

describe('where the rows of a run lie', () => {
  const asked: string[] = [];
  const newToken = (key: Buffer) => {
    asked.push(key.toString());
    return { of: key.toString() } as unknown as token.Token;
  };

  it('is worked out once for each run, so that its writes go to a node that has them', () => {
    const tokens = new RunTokens({ metadata: { newToken, tokenizer: {} } } as unknown as ConstructorParameters<
      typeof RunTokens
    >[0]);
    expect(tokens.of('a')).toEqual({ of: 'a' });
    expect(tokens.of('b')).toEqual({ of: 'b' });
    expect(tokens.of('a')).toBe(tokens.of('a'));
    expect(asked).toEqual(['a', 'b']);
  });

  it('is not known before the client has connected', () => {
    const fail = () => {
      throw new Error('Partitioner not established.');
    };
    const client = { metadata: { newToken: fail } as { newToken: () => never; tokenizer?: object } };
    const tokens = new RunTokens(client as unknown as ConstructorParameters<typeof RunTokens>[0]);
    expect(tokens.of('a')).toBeUndefined();
    client.metadata.tokenizer = {};
    expect(() => tokens.of('a')).toThrow('Partitioner');
  });
});
