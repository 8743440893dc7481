import { readFile } from 'node:fs/promises';
import { expect, it } from '@jest/globals';
import * as exported from '../../src/index.js';

it('every class of docs/errors.md can be imported', async () => {
  const text = await readFile(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const classes = new Set([...text.matchAll(/`(\w+Error)`/g)].map(([, name]) => name ?? ''));
  expect(classes.size).toBeGreaterThan(20);
  expect([...classes].filter((name) => !(name in exported))).toEqual([]);
});
