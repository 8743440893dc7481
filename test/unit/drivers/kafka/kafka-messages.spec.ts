import { describe, expect, it } from '@jest/globals';
import { deadLetter, excerptOf } from '../../../../src/drivers/kafka/kafka-messages.js';

describe('the beginning of a dead letter that is too large', () => {
  it.each([
    ['value', { value: Buffer.alloc(1_000_000, 'x') }],
    ['key', { key: Buffer.alloc(1_000_000, 'x') }],
    ['header', { headers: { large: 'x'.repeat(1_000_000), small: 'kept' } }],
  ])('fits into a message, with its reason, whether its %s is large', (_, part) => {
    const message = { key: Buffer.from('k'), value: Buffer.from('v'), headers: {}, partition: 3, offset: '7', ...part };
    const excerpt = excerptOf(deadLetter('jobs', message, { code: 'X', message: 'why' }, new Date(0)));
    const { key, value, headers = {} } = excerpt;
    expect(Buffer.byteLength(JSON.stringify([String(key), String(value), headers]))).toBeLessThan(80_000);
    expect(headers).toMatchObject({
      'x-original-partition': '3',
      'x-original-offset': '7',
      'x-reason-code': 'X',
      'x-original-bytes': String(message.value.byteLength),
    });
    expect(headers['small']).toBe('headers' in part ? 'kept' : undefined);
  });
});
