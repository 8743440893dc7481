import { groupBy } from '../../core/group-by.js';
import {
  LedgerState,
  type ClaimAnswer,
  type ClaimRef,
  type ClaimRequest,
  type FiredTurn,
  type SettleAnswer,
  type SettleRequest,
  type TurnRef,
  type UnsentClaim,
} from '../../core/ledger-state.js';
import type { Settlement } from '../../core/settlement.js';
import type { Ledger, RenewAnswer } from '../../ports/ledger.js';
import {
  decodeClaim,
  decodeClaimUnsent,
  decodeSettle,
  decodeSettleGroup,
  decodeSettles,
  Parts,
} from './ledger-messages.js';
import type { RedisClient } from './redis-client.js';
import { RedisKeys } from './redis-keys.js';
import { EncodedSettlement } from './encoded-settlement.js';
import { isRefusedAsApart } from './redis-errors.js';
import { SettleGroups, type Settle } from './settle-groups.js';
import { runScript, type ScriptArgument, type ScriptName } from './redis-scripts.js';

export interface RedisLedgerOptions {
  /** First part of every key. Default `flowcraft`. */
  readonly prefix?: string;
  /** A run without progress for so long is forgotten, and rebuilt when it goes on. Default 7 days. */
  readonly runTtlMs?: number;
  /** For so long an ended run is remembered, so that late messages find it closed. Default 1 hour. */
  readonly endedTtlMs?: number;
}

/** Arrivals at one join that are settled as one. */
const MOST_ARRIVALS = 50;
/** Settles of any runs that make at most one node ready. */
const MOST_HOPS = 16;

/**
 * The ledger in Redis: one hash for each run with the fields of LedgerState, whose decisions the scripts make. Time is
 * that of the server.
 */
export class RedisLedger implements Ledger {
  private readonly keys: RedisKeys;
  private readonly runTtlMs: number;
  private readonly endedTtlMs: number;
  private connected = false;
  /** The server has refused keys of several slots. */
  private areKeysApart = false;
  private readonly arrivals = new SettleGroups(
    MOST_ARRIVALS,
    (settles) => this.settleArrivals(settles),
    (settle) => this.settleOne(settle),
  );
  private readonly hops = new SettleGroups(
    MOST_HOPS,
    (settles) => this.settleHops(settles),
    (settle) => this.settleOne(settle),
  );
  /** Of settlements that come again. */
  private readonly encoded = new WeakMap<Settlement, EncodedSettlement>();

  constructor(
    private readonly client: RedisClient,
    options: RedisLedgerOptions = {},
  ) {
    this.keys = new RedisKeys(options.prefix ?? 'flowcraft');
    this.runTtlMs = options.runTtlMs ?? 7 * 24 * 3_600_000;
    this.endedTtlMs = options.endedTtlMs ?? 3_600_000;
  }

  async connect(): Promise<void> {
    if (this.connected) return;
    await this.client.connect();
    this.connected = true;
  }

  async close(): Promise<void> {
    if (!this.connected) return;
    this.connected = false;
    await this.client.close();
  }

  async now(): Promise<number> {
    const [seconds, micros] = await this.client.call('now', (redis) => redis.time());
    return Number(seconds) * 1_000_000 + Number(micros);
  }

  async install(runId: string, state: LedgerState, lock?: string): Promise<boolean> {
    const ttlMs = state.get('x') === undefined ? this.runTtlMs : this.endedTtlMs;
    const fields = [...state.fields].flat();
    const keys = [this.keys.run(runId), this.keys.lock(runId)];
    return Number(await this.script('install', ...keys, lock ?? '', ttlMs, fields)) === 1;
  }

  async begin(runId: string, state: LedgerState): Promise<void> {
    const keys = [this.keys.run(runId), this.keys.lock(runId), this.keys.idle(runId)];
    await this.together(
      () => this.script('begin', ...keys, '', this.runTtlMs, [...state.fields].flat(), runId),
      () => Promise.all([this.install(runId, state), this.touch([runId])]),
    );
  }

  async claim(runId: string, request: ClaimRequest): Promise<ClaimAnswer> {
    const { node, turn, worker, leaseMs, floor, takeover, mode, sent } = request;
    const args = [node, turn, worker, leaseMs, floor, takeover ?? '', mode, sent ? 1 : 0];
    return decodeClaim(await this.script('claim', this.keys.run(runId), ...args));
  }

  async claimUnsent(runId: string, { turns, worker, leaseMs, claim }: UnsentClaim): Promise<FiredTurn[] | undefined> {
    const names = turns.flatMap(({ node, turn }) => [node, turn]);
    return decodeClaimUnsent(await this.script('claimUnsent', this.keys.run(runId), worker, leaseMs, claim, names));
  }

  async renew(
    runId: string,
    node: string,
    turn: string,
    worker: string,
    token: number,
    leaseMs: number,
  ): Promise<RenewAnswer> {
    const key = this.keys.run(runId);
    return (await this.script('renew', key, node, turn, worker, token, leaseMs, this.runTtlMs)) as RenewAnswer;
  }

  settle(runId: string, request: SettleRequest): Promise<SettleAnswer> {
    const encoded = this.encode(request);
    const settle = { runId, request, encoded };
    const [node, after, need] = encoded.straight;
    if (node === '') return this.settleOne(settle);
    if (need !== '') return this.arrivals.settle(`${runId}\u001f${after}\u001f${need}`, settle);
    const { worker, leaseMs, maxTurns } = request;
    return this.hops.settle(`${worker}\u001f${leaseMs}\u001f${maxTurns}`, settle);
  }

  private settleOne(settle: Settle): Promise<SettleAnswer> {
    return this.script('settle', this.keys.run(settle.runId), ...this.settleArguments(settle)).then(decodeSettle);
  }

  /** Of one run, at one join. */
  private async settleArrivals(settles: readonly Settle[]): Promise<(SettleAnswer | undefined)[]> {
    const last = settles.at(-1);
    if (!last) return [];
    const others = settles.slice(0, -1);
    const names = others.flatMap(({ request: { settlement, token } }) => [settlement.node, String(token)]);
    const args = this.settleArguments(last);
    return decodeSettleGroup(await this.script('settleGroup', this.keys.run(last.runId), ...args, names));
  }

  /** Of any runs. */
  private async settleHops(settles: readonly Settle[]): Promise<(SettleAnswer | undefined)[]> {
    const [first] = settles;
    if (!first) return [];
    const { worker, leaseMs, maxTurns } = first.request;
    const keys = settles.map(({ runId }) => this.keys.run(runId));
    const own = settles.flatMap(({ request, encoded }) => {
      const [node, after] = encoded.straight;
      return [String(request.token), String(request.claim), node, after];
    });
    const reply = await this.together(
      () => this.script('settleStraight', keys.length, keys, worker, leaseMs, maxTurns, this.runTtlMs, own),
      () => Promise.resolve(settles.map(() => null)),
    );
    return decodeSettles(reply);
  }

  private settleArguments({ request, encoded }: Settle): ScriptArgument[] {
    const { token, worker, leaseMs, claim, maxTurns } = request;
    return [encoded.text, token, worker, leaseMs, claim, maxTurns, this.runTtlMs, ...encoded.straight];
  }

  private encode({ settlement, isShared }: SettleRequest): EncodedSettlement {
    const known = isShared ? this.encoded.get(settlement) : undefined;
    if (known) return known;
    const encoded = new EncodedSettlement(settlement);
    if (isShared) this.encoded.set(settlement, encoded);
    return encoded;
  }

  async giveBack(runId: string, claims: readonly ClaimRef[]): Promise<void> {
    const held = claims.flatMap(({ node, turn, token }) => [node, turn, String(token)]);
    await this.script('giveBack', this.keys.run(runId), held);
  }

  async sent(runId: string, turns: readonly TurnRef[]): Promise<void> {
    const names = turns.flatMap(({ node, turn }) => [node, turn]);
    await this.script('sent', this.keys.run(runId), names);
  }

  async end(runId: string, status: string, below?: number): Promise<boolean> {
    return Number(await this.script('end', this.keys.run(runId), status, this.endedTtlMs, below ?? '')) === 1;
  }

  async conclude(runId: string, status: string, below: number): Promise<boolean> {
    const keys = [this.keys.run(runId), this.keys.idle(runId)];
    const closed = await this.together(
      () => this.script('conclude', ...keys, status, this.endedTtlMs, below, runId),
      async () => {
        const hasEnded = await this.end(runId, status, below);
        if (hasEnded) await this.forget(runId);
        return hasEnded ? 1 : 0;
      },
    );
    return Number(closed) === 1;
  }

  /** One script over keys of a run and of the fleet, or what does the same where servers take only keys that lie together. */
  private async together(asOne: () => Promise<unknown>, apart: () => Promise<unknown>): Promise<unknown> {
    if (this.areKeysApart || this.client.isCluster) return apart();
    try {
      return await asOne();
    } catch (error) {
      // a service of several servers behind one address; it has refused the script before anything was done
      if (!isRefusedAsApart(error)) throw error;
      this.areKeysApart = true;
      return apart();
    }
  }

  async read(runId: string): Promise<LedgerState> {
    const fields = await this.client.call('read', (redis) => redis.hgetall(this.keys.run(runId)));
    return new LedgerState(new Map(Object.entries(fields)));
  }

  async lock(
    runId: string,
    owner: string,
    ttlMs: number,
    incarnation?: string,
  ): Promise<{ kind: 'locked'; lock: string; now: number } | { kind: 'exists' } | { kind: 'wait' }> {
    const drop = incarnation === undefined ? ['0', ''] : ['1', incarnation];
    const reply = await this.script('lock', this.keys.run(runId), this.keys.lock(runId), owner, ttlMs, ...drop);
    const parts = new Parts('lock', reply);
    const kind = parts.text(0);
    if (kind === 'locked') return { kind, lock: parts.text(1), now: parts.number(2) };
    return kind === 'exists' || kind === 'wait' ? { kind } : parts.refuse();
  }

  async beat(worker: string, ttlMs: number): Promise<void> {
    await this.client.call('beat', (redis) => redis.set(this.keys.worker(worker), '1', 'PX', ttlMs));
  }

  async isAlive(worker: string): Promise<boolean> {
    return Number(await this.client.call('isAlive', (redis) => redis.exists(this.keys.worker(worker)))) === 1;
  }

  async retire(worker: string): Promise<void> {
    await this.client.call('retire', (redis) => redis.del(this.keys.worker(worker)));
  }

  async touch(runIds: readonly string[], aheadMs = 0): Promise<void> {
    const shards = groupBy(runIds, (runId) => this.keys.idle(runId));
    await Promise.all([...shards].map(([shard, ids]) => this.script('touch', shard, Math.round(aheadMs * 1000), ids)));
  }

  async idle(idleMs: number, limit: number): Promise<string[]> {
    const micros = Math.round(idleMs * 1000);
    const replies = await Promise.all(this.keys.idleShards().map((shard) => this.script('idle', shard, micros, limit)));
    const found: { runId: string; at: number }[] = [];
    for (const reply of replies) {
      const parts = new Parts('idle', reply);
      for (let i = 0; i < parts.length; i += 2) found.push({ runId: parts.text(i), at: parts.number(i + 1) });
    }
    return found
      .sort((a, b) => a.at - b.at)
      .slice(0, limit)
      .map(({ runId }) => runId);
  }

  async forget(runId: string): Promise<void> {
    await this.client.call('forget', (redis) => redis.zrem(this.keys.idle(runId), runId));
  }

  async cursor(name: string): Promise<string | undefined> {
    return (await this.client.call('cursor', (redis) => redis.get(this.keys.cursor(name)))) ?? undefined;
  }

  async setCursor(name: string, value: string): Promise<void> {
    await this.client.call('setCursor', (redis) => redis.set(this.keys.cursor(name), value));
  }

  async elect(name: string, owner: string, ttlMs: number): Promise<boolean> {
    return Number(await this.script('elect', this.keys.election(name), owner, ttlMs)) === 1;
  }

  async resign(name: string, owner: string): Promise<void> {
    await this.script('resign', this.keys.election(name), owner);
  }

  private script(name: ScriptName, ...args: ScriptArgument[]): Promise<unknown> {
    return this.client.call(name, (redis) => runScript(redis, name, ...args));
  }
}
