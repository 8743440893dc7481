import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { LedgerState, type ClaimRequest, type SettleRequest } from '../../../src/core/ledger-state.js';
import type { SettlementTarget } from '../../../src/core/settlement.js';
import { RedisKeys } from '../../../src/drivers/redis/redis-keys.js';
import { runScript } from '../../../src/drivers/redis/redis-scripts.js';
import { newPrefix, REDIS_URL, RedisFixture } from '../../support/redis-fixture.js';
import { NODES, randomSettlement, SeededRandom } from '../../support/random-settlements.js';

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
    for (let seed = 1; seed <= SEEDS; seed++) await new Walk(fixture, setTime, seed).run();
  }, 300_000);

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
    const answer = await runScript(redis, 'settle', key, 'none', token, 'w1', 500, 1, 1000, 60_000, 'a', 'b');
    const next = String(token + 1);
    expect(answer).toEqual(['accepted', '1', '0', null, null, next, null, '1', '2', 'b', '1', '', next, null]);
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

/** One random history of one run, told to both sides step by step. */
class Walk {
  private readonly random: SeededRandom;
  private readonly runId: string;
  private readonly told: SettleRequest[] = [];
  private model = new LedgerState();
  private now = 1_700_000_000_000_000;

  constructor(
    private readonly fixture: RedisFixture,
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
    if (dice < 45) return this.renew();
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
