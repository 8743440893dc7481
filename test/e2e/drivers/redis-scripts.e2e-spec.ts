import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { LedgerState, type ClaimRequest, type SettleRequest } from '../../../src/core/ledger-state.js';
import type { SettlementTarget } from '../../../src/core/settlement.js';
import { RedisKeys } from '../../../src/drivers/redis/redis-keys.js';
import { decodeSettleGroup, decodeSettles, encodeSettlement } from '../../../src/drivers/redis/ledger-messages.js';
import { runScript } from '../../../src/drivers/redis/redis-scripts.js';
import { straightOf } from '../../../src/drivers/redis/straight-settlement.js';
import { newPrefix, REDIS_URL, RedisFixture } from '../../support/redis-fixture.js';
import { arrivalAt, NODES, randomSettlement, SeededRandom } from '../../support/random-settlements.js';

const SEEDS = 200;
const STEPS = 60;
const WORKERS = ['w1', 'w2', '?'];
const LEASES = [0, 1, 500, 60_000, 600_000];
/** Microseconds. */
const JUMPS = [0, 0, 0, 1, 1, 1000, 1000, 400_000, 70_000_000];

/**
 * The scripts against LedgerState, to the letter: both see the same time, so that answers and fields must be equal
 * with all their tokens.
 */
describe('The scripts of the ledger in Redis', () => {
  const prefix = newPrefix();
  const clockKey = `${prefix}:clock`;
  let redis: Redis;
  let fixture: RedisFixture;

  beforeAll(async () => {
    redis = new Redis(REDIS_URL);
    const define = redis.defineCommand.bind(redis);
    redis.defineCommand = (name, definition) =>
      define(name, {
        ...definition,
        lua: definition.lua.replaceAll(`redis.call('TIME')`, `redis.call('LRANGE', '${clockKey}', 0, 1)`),
      });
    fixture = await RedisFixture.open(redis, prefix);
  });
  afterAll(async () => {
    await fixture.close();
    await redis.quit();
  });

  const setTime = async (micros: number) => {
    await redis
      .multi()
      .del(clockKey)
      .rpush(clockKey, Math.floor(micros / 1_000_000), micros % 1_000_000)
      .exec();
  };

  it('decide as LedgerState does, whatever is asked of them', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) await new Walk(fixture, redis, setTime, seed).run();
  }, 300_000);

  it('settle arrivals together as LedgerState does one by one, whatever state they are in', async () => {
    const now = 1_700_000_000_000_000;
    await setTime(now);
    let [done, left] = [0, 0];
    for (let seed = 1; seed <= 1000; seed++) {
      const random = new SeededRandom(seed);
      const model = randomArrivals(random, now);
      const runId = `arrivals-${seed}`;
      expect(await fixture.ledger.install(runId, model)).toBe(true);
      const need = 2 + random.below(6);
      const requests = Array.from({ length: 2 + random.below(6) }, (): SettleRequest => {
        const node = random.pick(BRANCHES);
        const token = (model.turn(node, '1')?.token ?? 0) + (random.chance(0.9) ? 0 : 1);
        const settlement = arrivalAt('join', need, node);
        return { settlement, token, worker: 'w1', leaseMs: 500, claim: random.below(2), maxTurns: 1000 };
      });
      const [expected, found] = await settleTogether(redis, fixture, runId, model, requests, now);
      const fields = (await fixture.ledger.read(runId)).fields;
      expect({ seed, requests, found, fields }).toEqual({ seed, requests, found: expected, fields: model.fields });
      done += found.length - 1;
      left += requests.length - found.length;
    }
    // neither of them is rare
    expect(done).toBeGreaterThan(500);
    expect(left).toBeGreaterThan(500);
  }, 60_000);

  it('settle turns of several runs together as LedgerState does one by one, whatever state they are in', async () => {
    const now = 1_700_000_000_000_000;
    await setTime(now);
    let [done, left] = [0, 0];
    for (let seed = 1; seed <= 600; seed++) {
      const random = new SeededRandom(seed);
      const runs = Array.from({ length: 1 + random.below(5) }, (_, i) => ({
        runId: `hops-${seed}-${i}`,
        model: randomArrivals(random, now),
      }));
      for (const { runId, model } of runs) expect(await fixture.ledger.install(runId, model)).toBe(true);
      const common = { worker: 'w1', leaseMs: 500, maxTurns: random.pick([1000, 1000, 5]) };
      // also twice in one run
      const settles = Array.from({ length: 1 + random.below(6) }, () => {
        const { runId, model } = random.pick(runs);
        const node = random.pick(BRANCHES);
        const token = (model.turn(node, '1')?.token ?? 0) + (random.chance(0.9) ? 0 : 1);
        const settlement = arrivalAt(random.pick(['join', 'b2', 'next']), 1, node);
        const isLast = random.chance(0.3);
        return {
          runId,
          model,
          request: {
            settlement: isLast ? { ...settlement, targets: [] } : settlement,
            token,
            claim: random.below(2),
            ...common,
          },
        };
      });
      const keys = settles.map(({ runId }) => new RedisKeys(prefix).run(runId));
      const own = settles.flatMap(({ request: { settlement, token, claim } }) => {
        const [node, after, need] = straightOf(settlement);
        expect(need).toBe('');
        return [String(token), String(claim), node, after];
      });
      const { worker, leaseMs, maxTurns } = common;
      const args = [keys.length, keys, worker, leaseMs, maxTurns, 60_000, own] as const;
      const answers = decodeSettles(await runScript(redis, 'settleStraight', ...args));
      const expected = settles.map(({ model, request }, i) => (answers[i] ? model.settle(request, now) : undefined));
      expect({ seed, settles, answers }).toEqual({ seed, settles, answers: expected });
      for (const { runId, model } of runs)
        expect({ seed, fields: (await fixture.ledger.read(runId)).fields }).toEqual({ seed, fields: model.fields });
      done += expected.filter((answer) => answer).length;
      left += expected.filter((answer) => !answer).length;
    }
    // neither of them is rare
    expect(done).toBeGreaterThan(300);
    expect(left).toBeGreaterThan(100);
  }, 60_000);

  it('settle turns of many runs that end in one moment with few calls', async () => {
    const now = 1_700_000_000_000_000;
    await setTime(now);
    const settles = Array.from({ length: 40 }, (_, i) => {
      const model = new LedgerState();
      model.open([{ node: 'a', passes: [] }], 'i', now);
      model.claim({ node: 'a', turn: '1', worker: 'w1', leaseMs: 500, floor: 0, mode: 'job' }, now);
      const token = model.turn('a', '1')?.token ?? 0;
      const request = { token, worker: 'w1', leaseMs: 500, claim: 1, maxTurns: 1000 };
      return { runId: `many-${i}`, model, request: { ...request, settlement: arrivalAt('b', 1, 'a') } };
    });
    for (const { runId, model } of settles) expect(await fixture.ledger.install(runId, model)).toBe(true);
    const before = await redis.info('commandstats');
    const answers = await Promise.all(settles.map(({ runId, request }) => fixture.ledger.settle(runId, request)));
    const calls = callsOf('evalsha', await redis.info('commandstats')) - callsOf('evalsha', before);
    expect(answers).toEqual(settles.map(({ model, request }) => model.settle(request, now)));
    expect(calls).toBeLessThanOrEqual(5);
  });

  it('settle arrivals at a join that come in one moment with few calls', async () => {
    const now = 1_700_000_000_000_000;
    await setTime(now);
    const nodes = Array.from({ length: 60 }, (_, i) => `n${i}`);
    const model = new LedgerState();
    model.open(
      nodes.map((node) => ({ node, passes: [] })),
      'i',
      now,
    );
    for (const node of nodes) model.claim({ node, turn: '1', worker: 'w1', leaseMs: 500, floor: 0, mode: 'job' }, now);
    expect(await fixture.ledger.install('together', model)).toBe(true);
    const requests = nodes.map((node) => ({
      settlement: arrivalAt('join', nodes.length, node),
      token: model.turn(node, '1')?.token ?? 0,
      worker: 'w1',
      leaseMs: 500,
      claim: 1,
      maxTurns: 1000,
    }));
    const before = await redis.info('commandstats');
    const answers = await Promise.all(requests.map((request) => fixture.ledger.settle('together', request)));
    const calls = callsOf('evalsha', await redis.info('commandstats')) - callsOf('evalsha', before);
    const expected = requests.map((request) => model.settle(request, now));
    expect(answers.map(({ kind }) => kind)).toEqual(expected.map(({ kind }) => kind));
    expect(answers.at(-1)).toEqual(expected.at(-1));
    expect(answers.filter((answer) => answer.kind === 'accepted' && answer.fired.length > 0)).toHaveLength(1);
    expect((await fixture.ledger.read('together')).fields).toEqual(model.fields);
    expect(calls).toBeLessThanOrEqual(4);
  });

  it('take the shorter way where all is as usual', async () => {
    const now = 1_700_000_000_000_000;
    await setTime(now);
    const model = new LedgerState();
    model.open([{ node: 'a', passes: [] }], 'i', now);
    model.claim({ node: 'a', turn: '1', worker: 'w1', leaseMs: 500, floor: 0, mode: 'job' }, now);
    expect(await fixture.ledger.install('usual', model)).toBe(true);
    const token = model.turn('a', '1')?.token ?? 0;
    const key = new RedisKeys(prefix).run('usual');
    // only the general way needs the settlement
    const answer = await runScript(redis, 'settle', key, 'none', token, 'w1', 500, 1, 1000, 60_000, 'a', 'b', '');
    const next = String(token + 1);
    expect(answer).toBe(['1', '0', '', '', next, '', '1', '2', 'b', next].join('\u001f'));
  });

  it('release the turn of an any join that waits behind one that settles as most do', async () => {
    const now = 1_700_000_000_000_000;
    await setTime(now);
    const model = new LedgerState();
    model.open(
      ['a', 'b'].map((node) => ({ node, passes: [] })),
      'i',
      now,
    );
    const claim = (node: string): ClaimRequest => ({
      node,
      turn: '1',
      worker: 'w1',
      leaseMs: 500,
      floor: 0,
      mode: 'job',
    });
    for (const node of ['a', 'b']) model.claim(claim(node), now);
    const tokenOf = (node: string) => model.turn(node, '1')?.token ?? 0;
    const settle = (node: string, targets: readonly SettlementTarget[]): SettleRequest => ({
      settlement: { node, turn: '1', outcome: 'completed', targets, dynamic: [] },
      token: tokenOf(node),
      worker: 'w1',
      leaseMs: 500,
      claim: 1,
      maxTurns: 1000,
    });
    const target = { node: 'a', taken: true, arrivals: [{ from: 'b', passes: [] }], need: 1, passes: [], groups: [[]] };
    // as if an arrival had made the first turn of `a` ready: the next one queues behind it
    model.set(`l\u001fa`, '1');
    expect(model.settle(settle('b', [{ ...target, when: 'each', turn: 'b:1' }]), now).kind).toBe('accepted');
    expect(model.turn('a', 'b:1')?.state).toBe('Q');
    expect(await fixture.ledger.install('queued', model)).toBe(true);
    const request = settle('a', []);
    const answer = await fixture.ledger.settle('queued', request);
    expect(answer).toEqual(model.settle(request, now));
    expect(answer).toMatchObject({ kind: 'accepted', fired: [{ node: 'a', turn: 'b:1' }] });
    expect((await fixture.ledger.read('queued')).fields).toEqual(model.fields);
  });
});

function callsOf(command: string, stats: string): number {
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
}

const BRANCHES = ['b1', 'b2', 'b3', 'b4', '%d{ü}', 'b6', 'b7'];

/** Branches of a join in any state, most of them claimed, and what they may have left at the join before. */
function randomArrivals(random: SeededRandom, now: number): LedgerState {
  const model = new LedgerState();
  const starts = random.some(BRANCHES, 0.9).map((node) => ({ node, passes: [] }));
  model.open(starts, 'i', now - 1_000_000);
  if (random.chance(0.05)) return model;
  for (const { node } of starts) {
    if (random.chance(0.2)) model.unsend([{ node, turn: '1' }]);
    if (random.chance(0.1)) continue;
    const leaseMs = random.chance(0.1) ? 500 : 60_000;
    model.claim({ node, turn: '1', worker: 'w1', leaseMs, floor: 0, mode: 'job' }, now - 1_000_000);
    const held = model.turn(node, '1');
    if (held && random.chance(0.2)) model.putTurn(node, '1', { ...held, round: random.below(5) });
    if (held && random.chance(0.1)) {
      model.set(`h\u001f${node}\u001f1`, 'x:1');
      model.putTurn(node, 'x:1', { ...held, state: 'Q', token: 0, worker: '', until: 0, claims: 0 });
    }
    if (random.chance(0.05)) model.set(`a\u001fjoin\u001f${node}\u001f`, '1');
    const token = held?.token ?? 0;
    const common = { token, worker: 'w1', leaseMs: 500, claim: 0, maxTurns: 1000 };
    const settlement = arrivalAt('join', 9, node);
    if (random.chance(0.1)) model.settle({ settlement, ...common }, now - 1_000_000);
    else if (random.chance(0.05))
      model.settle({ settlement: { ...settlement, outcome: 'awaiting', targets: [] }, ...common }, now - 1_000_000);
  }
  for (const [name, value] of [
    ['k\u001fjoin\u001f', '2'],
    ['r\u001fjoin\u001f', '3'],
    ['m\u001fjoin', '1'],
    ['e', '1'],
    ['y', '1'],
    ['p', 'b1'],
  ] as const)
    if (random.chance(0.1)) model.set(name, value);
  if (random.chance(0.05)) model.close('completed');
  return model;
}

/**
 * What the script that settles several answers, and what LedgerState does. Those that the script answers not to have done
 * have changed nothing; which they are is the script's own affair.
 */
async function settleTogether(
  redis: Redis,
  fixture: RedisFixture,
  runId: string,
  model: LedgerState,
  requests: readonly SettleRequest[],
  now: number,
): Promise<[expected: unknown[], found: unknown[]]> {
  const others = requests.slice(0, -1);
  const last = requests.at(-1);
  if (!last) throw new Error('There is no settle.');
  const { settlement, token, worker, leaseMs, claim, maxTurns } = last;
  const names = others.flatMap((other) => [other.settlement.node, String(other.token)]);
  const text = encodeSettlement(settlement);
  const args = [text, token, worker, leaseMs, claim, maxTurns, 60_000, ...straightOf(settlement), names] as const;
  const key = new RedisKeys(fixture.prefix).run(runId);
  const answers = decodeSettleGroup(await runScript(redis, 'settleGroup', key, ...args));
  const done = others.filter((_, i) => answers[i]);
  const told = done.map((request) => model.settle(request, now));
  expect(told.every((answer) => answer.kind === 'accepted' && answer.fired.length === 0)).toBe(true);
  // the answer to each of them is that to all
  const expected = [...done.map(() => told.at(-1)), model.settle(last, now)];
  return [expected, answers.filter((answer) => answer !== undefined)];
}

/** One random history of one run, told to both sides step by step. */
class Walk {
  private readonly random: SeededRandom;
  private readonly runId: string;
  private readonly told: SettleRequest[] = [];
  private model = new LedgerState();
  private now = 1_700_000_000_000_000;

  constructor(
    private readonly fixture: RedisFixture,
    private readonly redis: Redis,
    private readonly setTime: (micros: number) => Promise<void>,
    private readonly seed: number,
  ) {
    this.random = new SeededRandom(seed);
    this.runId = `walk-${seed}`;
  }

  async run(): Promise<void> {
    const starts = this.random
      .some(NODES, 0.6)
      .map((node) => ({ node, passes: this.random.some(['0', '1', '2'], 0.3) }));
    this.model.open(starts, `i${this.seed}`, this.now);
    expect(await this.fixture.ledger.install(this.runId, this.model)).toBe(true);
    for (let step = 0; step < STEPS; step++) {
      this.now += this.random.pick(JUMPS);
      await this.setTime(this.now);
      const [asked, expected, found] = await this.step();
      const fields = Object.fromEntries((await this.fixture.ledger.read(this.runId)).fields);
      const where = { seed: this.seed, step, asked };
      expect({ ...where, answer: found, fields }).toEqual({
        ...where,
        answer: expected,
        fields: Object.fromEntries(this.model.fields),
      });
    }
  }

  private step(): Promise<[asked: unknown, expected: unknown, found: unknown]> {
    const dice = this.random.below(100);
    if (dice < 35) return this.claim();
    if (dice < 40) return this.renew();
    if (dice < 45) return this.claimUnsent();
    if (dice < 55) return this.settleTogether();
    if (dice < 78) return this.settle(this.newSettlement());
    if (dice < 98) return this.settle(this.told.length > 0 ? this.random.pick(this.told) : this.newSettlement());
    return dice < 99 ? this.end() : this.drop();
  }

  private async claim(): Promise<[unknown, unknown, unknown]> {
    const { node, turn, token } = this.turn('R');
    const request: ClaimRequest = {
      node,
      turn,
      worker: this.random.pick(WORKERS),
      leaseMs: this.random.pick(LEASES),
      floor: this.random.pick([0, 0, this.now - 5, this.now + 5, this.now + 3_000_000]),
      mode: this.random.pick(['job', 'job', 'resume', 'again'] as const),
      ...(this.random.chance(0.2) ? { takeover: this.random.pick([token, token - 1, 0]) } : {}),
    };
    return [request, this.model.claim(request, this.now), await this.fixture.ledger.claim(this.runId, request)];
  }

  private async renew(): Promise<[unknown, unknown, unknown]> {
    const { node, turn, token, worker } = this.turn();
    const by = this.random.chance(0.7) ? worker : this.random.pick(WORKERS);
    const under = this.random.chance(0.8) ? token : token + 1;
    const args = [node, turn, by, under, this.random.pick(LEASES)] as const;
    return [args, this.model.renew(...args, this.now), await this.fixture.ledger.renew(this.runId, ...args)];
  }

  private async settle(request: SettleRequest): Promise<[unknown, unknown, unknown]> {
    const expected = this.model.settle(request, this.now);
    if (expected.kind === 'accepted') this.told.push(request);
    return [request, expected, await this.fixture.ledger.settle(this.runId, request)];
  }

  private async claimUnsent(): Promise<[unknown, unknown, unknown]> {
    const turns = Array.from({ length: this.random.below(4) }, () => this.turn('R')).map(({ node, turn }) => ({
      node,
      turn,
    }));
    const { random, model, now, fixture, runId } = this;
    const request = { turns, worker: random.pick(WORKERS), leaseMs: random.pick(LEASES), claim: random.below(3) };
    return [request, model.claimUnsent(request, now), await fixture.ledger.claimUnsent(runId, request)];
  }

  private async settleTogether(): Promise<[unknown, unknown, unknown]> {
    const { random, model, now } = this;
    const [join, need] = [random.pick(NODES), 2 + random.below(3)];
    const requests = Array.from({ length: 2 + random.below(3) }, (): SettleRequest => {
      const node = random.pick(NODES);
      const token = (model.turn(node, '1')?.token ?? 0) + (random.chance(0.9) ? 0 : 1);
      return { ...this.newSettlement(), settlement: arrivalAt(join, need, node), token };
    });
    return [requests, ...(await settleTogether(this.redis, this.fixture, this.runId, model, requests, now))];
  }

  private async end(): Promise<[unknown, unknown, unknown]> {
    const status = this.random.pick(['completed', 'cancelled']);
    return [status, this.model.close(status), await this.fixture.ledger.end(this.runId, status)];
  }

  /** Loses the state, asks of the missing run, and begins again. */
  private async drop(): Promise<[unknown, unknown, unknown]> {
    const before = this.model;
    this.model = new LedgerState();
    const answer = await this.fixture.ledger.lock(this.runId, 'w1', 60_000, before.get('i'));
    if (answer.kind !== 'locked') throw new Error(`The run could not be locked: ${answer.kind}`);
    const [, expected, found] = await this.claim();
    expect(await this.settle(this.newSettlement())).toEqual([
      expect.anything(),
      { kind: 'missing' },
      { kind: 'missing' },
    ]);
    this.model = new LedgerState(new Map(before.fields));
    this.model.set('i', `${before.get('i')}'`);
    this.model.fields.delete('x');
    expect(await this.fixture.ledger.install(this.runId, this.model, answer.lock)).toBe(true);
    return ['drop', expected, found];
  }

  private newSettlement(): SettleRequest {
    const { node, turn, token } = this.turn('C');
    return {
      settlement: randomSettlement(this.random, node, turn),
      token: this.random.chance(0.9) ? token : token + 1,
      worker: this.random.pick(WORKERS),
      leaseMs: this.random.pick(LEASES),
      claim: this.random.below(3),
      maxTurns: this.random.chance(0.9) ? 1000 : this.random.below(12),
    };
  }

  /** Most often a turn that there is, if possible in this state. */
  private turn(state?: 'R' | 'C'): { node: string; turn: string; token: number; worker: string } {
    const turns = this.model.turns();
    const preferred = turns.filter((t) => t.state === state);
    if (preferred.length > 0 && this.random.chance(state === 'C' ? 0.8 : 0.4)) return this.random.pick(preferred);
    if (turns.length > 0 && this.random.chance(0.9)) return this.random.pick(turns);
    return { node: this.random.pick(NODES), turn: 'never', token: 0, worker: 'w1' };
  }
}
