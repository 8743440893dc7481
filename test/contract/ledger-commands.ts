import fc from 'fast-check';
import type { WorkflowBlueprint } from 'flowcraft';
import { blueprint, CONTROLLER, SHAPES, type NodeSpec } from '../support/blueprints.js';

/**
 * One step of a random history. Numbers are choices: each is taken modulo what there is to choose from when the step is
 * taken, so that a shrunk history stays meaningful.
 */
export type LedgerCommand =
  | {
      readonly kind: 'claim';
      readonly pick: number;
      readonly worker: number;
      readonly mode: 'job' | 'resume' | 'again';
      readonly floor: 'none' | 'seen' | 'far';
      readonly takeover: 'none' | 'held' | 'stale';
      readonly sent: boolean;
      readonly runsOut: boolean;
    }
  | {
      readonly kind: 'renew';
      readonly pick: number;
      readonly worker: number;
      readonly token: TokenChoice;
      readonly runsOut: boolean;
    }
  | {
      readonly kind: 'settle';
      readonly pick: number;
      readonly worker: number;
      readonly token: TokenChoice;
      readonly outcome: 'completed' | 'failed' | 'rescued' | 'awaiting';
      /** One bit for each target. */
      readonly taken: number;
      readonly dynamic: number;
      readonly claim: number;
      readonly maxTurns: number;
      readonly runsOut: boolean;
    }
  | {
      readonly kind: 'advance';
      readonly pick: number;
      readonly worker: number;
      readonly taken: number;
      readonly rescued: boolean;
      readonly claim: number;
    }
  | { readonly kind: 'redeliver'; readonly pick: number }
  | { readonly kind: 'giveBack'; readonly picks: readonly number[]; readonly token: TokenChoice }
  | { readonly kind: 'sent'; readonly picks: readonly number[] }
  | { readonly kind: 'rebuild'; readonly keep: number; readonly graceOver: boolean }
  | { readonly kind: 'end' };

type TokenChoice = 'held' | 'stale' | 'bogus';

const token = fc.constantFrom<TokenChoice>('held', 'held', 'held', 'stale', 'bogus');
const pick = fc.nat(99);
const worker = fc.nat(2);
/** A lease of nothing: the claim has run out when the next step looks at it. */
const runsOut = fc.integer({ min: 0, max: 3 }).map((n) => n === 3);
const rarely = fc.integer({ min: 0, max: 9 }).map((n) => n === 9);

/** `advance` claims a turn that is open and completes it: most steps of a history are of this kind, or it would not get far. */
const command: fc.Arbitrary<LedgerCommand> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      pick,
      worker,
      taken: fc.nat(255),
      rescued: fc.boolean(),
      claim: fc.nat(2),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('claim' as const),
      pick,
      worker,
      mode: fc.constantFrom('job' as const, 'job' as const, 'again' as const, 'resume' as const),
      floor: fc.constantFrom('none' as const, 'none' as const, 'seen' as const, 'far' as const),
      takeover: fc.constantFrom('none' as const, 'none' as const, 'held' as const, 'stale' as const),
      sent: fc.boolean(),
      runsOut,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('renew' as const), pick, worker, token, runsOut }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      pick,
      worker,
      token,
      outcome: fc.constantFrom(
        'completed' as const,
        'completed' as const,
        'failed' as const,
        'rescued' as const,
        'awaiting' as const,
      ),
      taken: fc.nat(255),
      dynamic: fc.nat(3),
      claim: fc.nat(2),
      maxTurns: fc.constantFrom(1000, 1000, 1000, 6),
      runsOut,
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('redeliver' as const), pick }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('giveBack' as const), picks: fc.array(pick, { maxLength: 3 }), token }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sent' as const), picks: fc.array(pick, { maxLength: 3 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('rebuild' as const), keep: fc.nat(100), graceOver: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: rarely.map((really): LedgerCommand => (really ? { kind: 'end' } : { kind: 'redeliver', pick: 0 })),
  },
);

export const ledgerCommands: fc.Arbitrary<LedgerCommand[]> = fc.array(command, {
  minLength: 1,
  maxLength: 60,
  size: 'max',
});

const LETTERS = 'abcdefg'.split('');

/** Random graphs of a few nodes: joins of all kinds, fallbacks, loop controllers, cycles, edges into nowhere sensible. */
const randomBlueprint: fc.Arbitrary<WorkflowBlueprint> = fc
  .record({
    size: fc.integer({ min: 2, max: LETTERS.length }),
    edges: fc.array(fc.tuple(fc.nat(6), fc.nat(6)), { minLength: 2, maxLength: 12 }),
    joins: fc.array(fc.constantFrom('all', 'all', 'any', 'first', 'settled'), { minLength: 7, maxLength: 7 }),
    fallbacks: fc.array(fc.option(fc.nat(6), { freq: 3 }), { minLength: 7, maxLength: 7 }),
    controllers: fc.array(rarely, { minLength: 7, maxLength: 7 }),
  })
  .map(({ size, edges, joins, fallbacks, controllers }) => {
    const ids = LETTERS.slice(0, size);
    const id = (n: number) => ids[n % size] ?? 'a';
    const specs: Record<string, NodeSpec> = {};
    const words = [...new Set(edges.map(([from, to]) => `${id(from)}>${id(to)}`))];
    ids.forEach((name, i) => {
      const fallback = fallbacks[i];
      const config = {
        joinStrategy: joins[i] as 'all' | 'any',
        ...(fallback === null || fallback === undefined || id(fallback) === name ? {} : { fallback: id(fallback) }),
      };
      const own = words.findIndex((word) => word.startsWith(`${name}>`));
      if (!controllers[i] || own < 0) specs[name] = { config };
      else {
        specs[name] = CONTROLLER;
        words[own] = `${words[own] ?? ''}:continue`;
      }
    });
    return blueprint('random', words.join(' '), specs);
  });

export const ledgerBlueprints: fc.Arbitrary<WorkflowBlueprint> = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...Object.values(SHAPES)) },
  { weight: 1, arbitrary: randomBlueprint },
);
