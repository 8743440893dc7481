import { expect, it } from '@jest/globals';
import { isRunId } from '../../../../src/core/identifiers.js';
import { SystemIds } from '../../../../src/drivers/system/system-ids.js';

it('run ids are valid, unique and sort by time', () => {
  const ids = new SystemIds();
  const made = Array.from({ length: 1000 }, () => ids.runId());
  expect(made.every(isRunId)).toBe(true);
  expect(new Set(made).size).toBe(1000);
  expect([...made].sort()).toEqual(made);
});

it('worker ids differ, also within one process, and hold nothing that separates fields', () => {
  const ids = new SystemIds();
  const [one, other] = [ids.workerId(), ids.workerId()];
  expect(one).not.toBe(other);
  expect(one).toMatch(/^[A-Za-z0-9_.-]+$/);
});

it('tokens have 256 bits, fit into a URL, and differ', () => {
  const ids = new SystemIds();
  const made = Array.from({ length: 1000 }, () => ids.token());
  expect(made.every((token) => /^[A-Za-z0-9_-]{43}$/.test(token))).toBe(true);
  expect(new Set(made).size).toBe(1000);
});

it('random numbers lie between 0 and 1', () => {
  const ids = new SystemIds();
  for (let i = 0; i < 100; i++) {
    const n = ids.random();
    expect(n >= 0 && n < 1).toBe(true);
  }
});
