import { expect } from '@jest/globals';
import { LedgerState, type SettleRequest, type TurnRef } from '../../src/core/ledger-state.js';
import type { BlueprintPlan } from '../../src/core/plan.js';
import { replayJournal, startTurns } from '../../src/core/replay.js';
import type { TurnRecord } from '../../src/core/run.js';
import { settlementOf, type Origin } from '../../src/core/settlement.js';
import { LONG_LEASE_MS } from './ledger-bench.js';
import type { LedgerCommand } from './ledger-commands.js';
import { chosenRow } from './ledger-rows.js';
import { TokenRanks, type HistorySide } from './ledger-sides.js';

const WORKERS = ['w0', 'w1', 'w2'];
const FAR_MICROSECONDS = 3_600_000_000;

/** A settling whose token is a rank, so that it can be told to both sides, and told again later. */
interface Told {
  readonly request: Omit<SettleRequest, 'token'>;
  readonly token: (ranks: TokenRanks) => number;
}

interface PickedTurn {
  readonly node: string;
  readonly turn: string;
  readonly worker: string;
  readonly token: number;
  readonly passes: readonly string[];
  readonly origin?: Origin;
}

/** One random history on two sides, compared after every step. */
export class History {
  private readonly ranks = [new TokenRanks(), new TokenRanks()] as const;
  private readonly told: Told[] = [];
  /** What was accepted, as the journal would hold it; the token is the rank. */
  private readonly journal: TurnRecord[] = [];
  private incarnation = 0;
  private ended = false;

  constructor(
    private readonly plan: BlueprintPlan,
    private readonly sides: readonly [HistorySide, HistorySide],
  ) {}

  async begin(): Promise<void> {
    await this.both(async (side, ranks) => {
      const state = new LedgerState();
      const now = await side.now();
      this.incarnation = ranks.meet(now);
      state.open(startTurns(this.plan), String(now), now);
      return side.install(state);
    });
    await this.compareFields({ kind: 'begin' });
  }

  async step(command: LedgerCommand): Promise<void> {
    if (command.kind === 'advance') await this.advance(command);
    else if (command.kind === 'claim') await this.claim(command);
    else if (command.kind === 'renew') await this.renew(command);
    else if (command.kind === 'settle') await this.settle(command);
    else if (command.kind === 'redeliver') await this.tell(this.told[command.pick % Math.max(1, this.told.length)]);
    else if (command.kind === 'giveBack') await this.giveBack(command);
    else if (command.kind === 'sent') await this.sent(command);
    else if (command.kind === 'rebuild') await this.rebuild(command);
    else {
      this.ended = true;
      await this.both((side) => side.end('completed'));
    }
    await this.compareFields(command);
  }

  private async advance(command: Extract<LedgerCommand, { kind: 'advance' }>): Promise<void> {
    const { worker, claim, taken, rescued } = command;
    const open = (await this.turns()).filter((t) => t.state === 'R' || t.state === 'C');
    const turn = open[command.pick % Math.max(1, open.length)];
    if (!turn) return;
    const name = WORKERS[worker] ?? '';
    const answers = await this.both(
      async (side, ranks) => {
        const answer = await side.claim({
          node: turn.node,
          turn: turn.turn,
          worker: name,
          leaseMs: LONG_LEASE_MS,
          floor: 0,
          mode: 'again',
        });
        return [answer, ranks.claimAnswer(answer)] as const;
      },
      ([, comparable]) => comparable,
    );
    const [granted] = answers[0];
    if (granted.kind !== 'granted') return;
    await this.settleTurn(turn, granted.token, {
      worker: name,
      outcome: rescued && this.plan.nodes.get(turn.node)?.fallback !== undefined ? 'rescued' : 'completed',
      taken,
      dynamic: taken % 4,
      claim,
      maxTurns: 1000,
      leaseMs: LONG_LEASE_MS,
    });
  }

  private async claim(command: Extract<LedgerCommand, { kind: 'claim' }>): Promise<void> {
    const { node, turn, token } = await this.pick(command.pick);
    const stale = (await this.reference()).counts().token;
    await this.both(async (side, ranks) => {
      const held = this.real(token, ranks);
      const floor = {
        none: () => 0,
        seen: () => this.real(stale, ranks),
        far: () => this.real(stale, ranks) + FAR_MICROSECONDS,
      }[command.floor]();
      const takeover = { none: {}, held: { takeover: held }, stale: { takeover: held + 1 } }[command.takeover];
      const request = {
        node,
        turn,
        worker: WORKERS[command.worker] ?? '',
        leaseMs: command.runsOut ? 0 : LONG_LEASE_MS,
        floor,
        mode: command.mode,
        sent: command.sent,
        ...takeover,
      };
      const answer = await side.claim(request);
      return [ranks.claimAnswer(answer), answer.kind === 'granted' && answer.token > floor];
    });
  }

  private async giveBack({ picks, token }: Extract<LedgerCommand, { kind: 'giveBack' }>): Promise<void> {
    const claimed = (await this.turns()).filter((t) => t.state === 'C');
    const turns = picks.map((pick) => claimed[pick % Math.max(1, claimed.length)]).filter((t) => t !== undefined);
    const any = picks[0] === undefined || picks[0] % 4 > 0 ? [] : [await this.pick(picks[0])];
    await this.both((side, ranks) =>
      side.giveBack(
        [...turns, ...any].map((t) => ({ node: t.node, turn: t.turn, token: vary(token, this.real(t.token, ranks)) })),
      ),
    );
  }

  private async sent({ picks }: Extract<LedgerCommand, { kind: 'sent' }>): Promise<void> {
    const turns: TurnRef[] = [];
    for (const pick of picks) turns.push(await this.pick(pick));
    await this.both((side) => side.sent(turns));
  }

  private async renew(command: Extract<LedgerCommand, { kind: 'renew' }>): Promise<void> {
    const claimed = (await this.turns()).filter((t) => t.state === 'C');
    const { node, turn, token, worker } =
      (command.pick % 4 > 0 ? claimed[command.pick % Math.max(1, claimed.length)] : undefined) ??
      (await this.pick(command.pick));
    const name = command.worker === 2 ? 'w2' : worker;
    await this.both((side, ranks) =>
      side.renew(node, turn, name, vary(command.token, this.real(token, ranks)), command.runsOut ? 0 : LONG_LEASE_MS),
    );
  }

  private async settle(command: Extract<LedgerCommand, { kind: 'settle' }>): Promise<void> {
    const turn = await this.pick(command.pick);
    const { outcome, taken, dynamic, claim, maxTurns } = command;
    const leaseMs = command.runsOut ? 0 : LONG_LEASE_MS;
    await this.settleTurn(
      turn,
      turn.token,
      { worker: WORKERS[command.worker] ?? '', outcome, taken, dynamic, claim, maxTurns, leaseMs },
      command.token,
    );
  }

  private async settleTurn(
    turn: PickedTurn,
    token: number,
    wish: {
      worker: string;
      outcome: string;
      taken: number;
      dynamic: number;
      claim: number;
      maxTurns: number;
      leaseMs: number;
    },
    choice: 'held' | 'stale' | 'bogus' = 'held',
  ): Promise<void> {
    const { worker, claim, maxTurns, leaseMs } = wish;
    // A turn settles once: what settles it again, under whatever token, says what the journal says.
    const before = this.journal.find((row) => row.nodeId === turn.node && row.turn === turn.turn);
    const row = before ?? chosenRow(this.plan, turn, wish);
    const request = { settlement: settlementOf(this.plan, row, turn.origin), worker, claim, maxTurns, leaseMs };
    const rank = token === 0 ? undefined : this.ranks[0].meet(token);
    const told: Told = { request, token: (ranks) => vary(choice, rank === undefined ? 0 : ranks.token(rank)) };
    const answer = await this.tell(told);
    if (answer !== 'accepted' || rank === undefined) return;
    this.told.push(told);
    if (row !== before && row.status !== 'awaiting') this.journal.push({ ...row, token: rank });
  }

  private async tell(told: Told | undefined): Promise<string> {
    if (!told) return 'nothing';
    const answers = await this.both(
      async (side, ranks) => {
        const answer = await side.settle({ ...told.request, token: told.token(ranks) });
        return [answer.kind, ranks.settleAnswer(answer)] as const;
      },
      ([, comparable]) => comparable,
    );
    return answers[0][0];
  }

  /** Loses the state and builds it again from a part of the journal, as after a failover that lost the last writes. */
  private async rebuild(command: Extract<LedgerCommand, { kind: 'rebuild' }>): Promise<void> {
    if (this.ended) return;
    const rows = this.journal.slice(0, Math.ceil((this.journal.length * Math.max(50, command.keep)) / 100));
    this.journal.splice(rows.length);
    const last = this.incarnation;
    await this.both(async (side, ranks) => {
      const now = await side.drop(String(ranks.token(last)));
      const highest = Math.max(now, ranks.highest + 1);
      this.incarnation = ranks.meet(highest);
      const restamped = rows.map((row) => ({ ...row, token: highest }));
      const state = replayJournal(this.plan, restamped, {
        token: highest,
        now,
        graceMs: command.graceOver ? 0 : LONG_LEASE_MS,
        maxTurns: 1000,
      });
      return side.install(state);
    });
  }

  private reference(): Promise<LedgerState> {
    return this.sides[0].read();
  }

  private async turns(): Promise<ReturnType<LedgerState['turns']>> {
    return (await this.reference()).turns().sort((a, b) => (`${a.node} ${a.turn}` < `${b.node} ${b.turn}` ? -1 : 1));
  }

  /** A turn that there is, and now and then one that there is not. Its token is the reference's. */
  private async pick(choice: number): Promise<PickedTurn> {
    const turns: PickedTurn[] = await this.turns();
    const nobody = { node: [...this.plan.nodes.keys()][0] ?? '', turn: 'never', worker: '', token: 0, passes: [] };
    if (choice % 10 === 9) return nobody;
    return turns[Math.floor(choice / 2) % Math.max(1, turns.length)] ?? nobody;
  }

  /** The same token on the other side. */
  private real(referenceToken: number, ranks: TokenRanks): number {
    return referenceToken === 0 ? 0 : ranks.token(this.ranks[0].meet(referenceToken));
  }

  private async both<T>(
    call: (side: HistorySide, ranks: TokenRanks) => Promise<T>,
    comparable: (answer: T) => unknown = (answer) => answer,
  ): Promise<readonly [T, T]> {
    const answers = [await call(this.sides[0], this.ranks[0]), await call(this.sides[1], this.ranks[1])] as const;
    expect(comparable(answers[1])).toEqual(comparable(answers[0]));
    return answers;
  }

  private async compareFields(after: LedgerCommand | { kind: 'begin' }): Promise<void> {
    const [expected, found] = await Promise.all(
      this.sides.map(async (side, i) =>
        (this.ranks[i] ?? new TokenRanks()).fields(await side.read(), (await side.now()) + 1),
      ),
    );
    expect({ after, fields: found }).toEqual({ after, fields: expected });
  }
}

function vary(choice: 'held' | 'stale' | 'bogus', token: number): number {
  return choice === 'held' ? token : choice === 'stale' ? Math.max(0, token - 1) : token + 1_000_003;
}
