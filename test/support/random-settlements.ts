import type { BatchStart } from '../../src/core/batch-items.js';
import type { Lead } from '../../src/core/leads.js';
import type { SettlementTarget, PassRef, Settlement, Arrival } from '../../src/core/settlement.js';

/** Mulberry32: small, fast, and the same everywhere for one seed. */
export class SeededRandom {
  constructor(private state: number) {}

  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)];
    if (found === undefined) throw new Error('There is nothing to pick from.');
    return found;
  }

  some<T>(list: readonly T[], probability: number): T[] {
    return list.filter(() => this.chance(probability));
  }
}

export const NODES = ['a', 'l', 'm', '%d{ü}'];
const LOOPS = ['l', 'm'];
const PASSES = ['0', '1', 'x#1'];
/** Longer than a turn that is quoted in a name. */
const LONG_TURN = 'a:b:c:d:e:f:g:h:i:j:k:l:m';

/**
 * A settlement as no plan would give it: everything that can stand in it, combined at will, so that two
 * implementations that agree on it agree on more than on what plans happen to produce.
 */
export function randomSettlement(random: SeededRandom, node: string, turn: string): Settlement {
  return random.chance(0.3) ? straightSettlement(random, node, turn) : anySettlement(random, node, turn);
}

/**
 * The usual kind, which the script in Redis has a shorter way for: the one node after it becomes ready, a join hears of it,
 * or the run ends.
 */
function straightSettlement(random: SeededRandom, node: string, turn: string): Settlement {
  const target = (): SettlementTarget => ({
    node: random.pick(NODES),
    when: 'joined',
    taken: true,
    arrivals: [{ from: node, passes: [] }],
    need: random.pick([1, 1, 2, 3]),
    passes: [],
    groups: [[]],
  });
  return { node, turn, outcome: 'completed', targets: many(random, 1, target), dynamic: [] };
}

/** One that arrives at this join and does nothing else. */
export function arrivalAt(join: string, need: number, node: string): Settlement {
  const arrivals = [{ from: node, passes: [] }];
  const target = { node: join, when: 'joined', taken: true, arrivals, need, passes: [], groups: [[]] } as const;
  return { node, turn: '1', outcome: 'completed', targets: [target], dynamic: [] };
}

function anySettlement(random: SeededRandom, node: string, turn: string): Settlement {
  const outcome = random.pick(['completed', 'completed', 'failed', 'rescued', 'awaiting', 'awaiting'] as const);
  const hasGather = random.chance(0.4);
  return {
    node,
    turn,
    outcome,
    ...(outcome === 'failed' && random.chance(0.3) ? { endsRun: true as const } : {}),
    targets: many(random, 3, () => randomTarget(random)),
    ...(random.chance(0.3)
      ? {
          late: {
            rescuer: random.pick(NODES),
            passes: randomPasses(random),
            targets: many(random, 2, () => randomTarget(random)),
          },
        }
      : {}),
    ...(random.chance(0.3) ? { rescuedPasses: randomPasses(random) } : {}),
    ...(random.chance(0.3) ? { opensPasses: true as const } : {}),
    dynamic: random.chance(0.3) ? random.some(['d1', 'd2', 'a'], 0.6) : [],
    ...(random.chance(0.2) ? { batch: randomBatch(random) } : {}),
    ...(random.chance(0.2) ? { workerOf: random.pick(NODES) } : {}),
    ...(hasGather ? { gather: random.pick(NODES) } : {}),
    ...(random.chance(0.3) ? { dynamicLeads: randomLeads(random) } : {}),
    ...(random.chance(0.4) ? { leads: randomLeads(random) } : {}),
    ...(random.chance(0.4) ? { settling: many(random, 2, () => ({ ...randomTarget(random), when: 'settled' })) } : {}),
  };
}

function randomTarget(random: SeededRandom): SettlementTarget {
  const when = random.pick(['each', 'each', 'once', 'joined', 'joined', 'settled'] as const);
  const named = random.below(3);
  const passes = randomPasses(random);
  return {
    node: random.pick(NODES),
    when,
    taken: random.chance(0.6),
    arrivals: many(random, 4, () => randomArrival(random, passes)),
    need: random.below(4),
    passes,
    groups: many(random, 2, () => (random.chance(0.6) ? passes.map(([loop]) => loop) : randomLoops(random))),
    ...(named === 1 ? { turn: random.pick([...PASSES, 'b:3']) } : {}),
    ...(named === 2
      ? { entry: { source: random.pick(NODES), turn: random.pick([...PASSES, LONG_TURN]), plain: random.chance(0.5) } }
      : {}),
    ...(random.chance(0.3) ? { opensPass: true as const } : {}),
    ...(random.chance(0.2) ? { gathers: true as const } : {}),
    ...(random.chance(0.2) ? { unmarked: true as const } : {}),
    ...(random.chance(0.4) ? { leads: randomLeads(random) } : {}),
  };
}

function randomBatch(random: SeededRandom): BatchStart {
  return {
    prefix: random.pick(NODES),
    items: random.below(8),
    chunk: 1 + random.below(4),
    window: 1 + random.below(3),
    ...(random.chance(0.3) ? { lenient: true as const } : {}),
  };
}

function randomLeads(random: SeededRandom): Lead[] {
  return many(random, 2, () => ({ join: random.pick(NODES), depth: random.below(3) }));
}

/** Often in the passes of its target, as predecessors in the same loops are. */
function randomArrival(random: SeededRandom, around: readonly PassRef[]): Arrival {
  return {
    from: random.pick(NODES),
    passes: random.chance(0.6) ? around : randomPasses(random),
    ...(random.chance(0.3) ? { ifRescued: true as const } : {}),
  };
}

function randomPasses(random: SeededRandom): PassRef[] {
  return randomLoops(random).map((loop) => [loop, random.chance(0.5) ? null : random.pick(PASSES)] as const);
}

function randomLoops(random: SeededRandom): string[] {
  return random.chance(0.4) ? [] : random.some(LOOPS, 0.5);
}

function many<T>(random: SeededRandom, most: number, make: () => T): T[] {
  return Array.from({ length: random.below(most + 1) }, make);
}
