import type { NodeRegistry } from 'flowcraft';
import { flow } from './behaviours.js';

/** A join of three branches behind a start, and a node after it. */
export const crashFlow = flow(
  'crash',
  [
    ['a', 'note'],
    ['b1', 'note'],
    ['b2', 'held'],
    ['b3', 'note'],
    ['j', 'note', {}, { inputs: { b1: 'b1', b2: 'b2', b3: 'b3' } }],
    ['z', 'note'],
  ],
  'a>b1 a>b2 a>b3 b1>j b2>j b3>j j>z',
);

/** Nodes that tell of their executions; those of type 'held' end with `release`. */
export function crashRegistry(note: (line: string) => void, release: Promise<void>): NodeRegistry {
  const name = (params: Record<string, unknown>) => String(params['count']).split('/')[1] ?? '';
  return {
    note: async ({ params, input }) => {
      note(name(params));
      return { output: name(params) === 'j' ? Object.keys(input as object).sort() : name(params) };
    },
    held: async ({ params }) => {
      note(name(params));
      await release;
      return { output: name(params) };
    },
  };
}
