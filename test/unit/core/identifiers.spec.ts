import { describe, expect, it } from '@jest/globals';
import { ContextKeyRefusedError, RunIdInvalidError } from '../../../src/core/errors.js';
import { assertContextKey, assertRunId, idempotencyKey, isRunId, turnKey } from '../../../src/core/identifiers.js';

describe('run ids', () => {
  it('are 1 to 128 letters, digits and a few signs', () => {
    for (const id of ['a', 'A-b_c.d:9', 'x'.repeat(128)]) expect(isRunId(id)).toBe(true);
    for (const id of ['', 'x'.repeat(129), 'a b', 'a/b', '{a}', 'a\n', 'ä', 5, null, undefined])
      expect(isRunId(id)).toBe(false);
    expect(() => assertRunId('a b')).toThrow(RunIdInvalidError);
    assertRunId('a');
  });
});

describe('context keys', () => {
  it('that reach a prototype are refused', () => {
    for (const key of ['__proto__', 'constructor', 'prototype'])
      expect(() => assertContextKey(key)).toThrow(ContextKeyRefusedError);
    for (const key of ['proto', '_inputs.a', 'toString', '']) assertContextKey(key);
  });
});

it('the idempotency key is the same for every attempt, and differs from turn to turn', () => {
  expect(idempotencyKey('r', 'n', '1')).toBe('r:n@1');
  const keys = new Set([
    turnKey('r', 'a', '1'),
    turnKey('r', 'a', '2'),
    turnKey('r', 'a1', ''),
    turnKey('ra', '', '1'),
  ]);
  expect(keys.size).toBe(4);
});
