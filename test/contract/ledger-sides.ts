import { PASS_SEP, SEP } from '../../src/core/ledger-fields.js';
import {
  LedgerState,
  type ClaimAnswer,
  type ClaimRef,
  type ClaimRequest,
  type SettleAnswer,
  type SettleRequest,
  type TurnRef,
} from '../../src/core/ledger-state.js';
import type { Ledger } from '../../src/ports/ledger.js';

/**
 * One of two ledgers that go through the same history. Tokens and times differ between them, so a history names tokens
 * by their rank: the order in which they came to be.
 */
export interface HistorySide {
  now(): Promise<number>;
  install(state: LedgerState): Promise<boolean>;
  /** Drops the state, as a loss of the server would; answers the time of the rebuild. */
  drop(incarnation: string): Promise<number>;
  claim(request: ClaimRequest): Promise<ClaimAnswer>;
  renew(node: string, turn: string, worker: string, token: number, leaseMs: number): Promise<string>;
  settle(request: SettleRequest): Promise<SettleAnswer>;
  giveBack(claims: readonly ClaimRef[]): Promise<void>;
  sent(turns: readonly TurnRef[]): Promise<void>;
  end(status: string): Promise<void>;
  read(): Promise<LedgerState>;
}

/** The ledger under test. */
export function ledgerSide(ledger: Ledger, runId: string): HistorySide {
  return {
    now: () => ledger.now(),
    install: (state) => ledger.install(runId, state),
    drop: async (incarnation) => {
      const answer = await ledger.lock(runId, 'rebuilder', 60_000, incarnation);
      if (answer.kind !== 'locked') throw new Error(`The run could not be locked: ${JSON.stringify(answer)}`);
      return answer.now;
    },
    claim: (request) => ledger.claim(runId, request),
    renew: (...args) => ledger.renew(runId, ...args),
    settle: (request) => ledger.settle(runId, request),
    giveBack: (claims) => ledger.giveBack(runId, claims),
    sent: (turns) => ledger.sent(runId, turns),
    end: async (status) => void (await ledger.end(runId, status)),
    read: () => ledger.read(runId),
  };
}

/** LedgerState with a time of its own, which moves with every call. */
export function referenceSide(): HistorySide {
  let time = 1_700_000_000_000_000;
  const tick = () => (time += 1000);
  let state = new LedgerState();
  return {
    now: async () => tick(),
    install: async (next) => {
      if (state.fields.size > 0) return false;
      state = new LedgerState(new Map(next.fields));
      return true;
    },
    drop: async () => {
      state = new LedgerState();
      return tick();
    },
    claim: async (request) => state.claim(request, tick()),
    renew: async (node, turn, worker, token, leaseMs) => state.renew(node, turn, worker, token, leaseMs, tick()),
    settle: async (request) => state.settle(request, tick()),
    giveBack: async (claims) => state.giveBack(claims),
    sent: async (turns) => state.sent(turns),
    end: async (status) => void state.close(status),
    read: async () => new LedgerState(new Map(state.fields)),
  };
}

/** Names the tokens of one side by rank, and rewrites answers and fields so that both sides' can be compared. */
export class TokenRanks {
  private readonly tokens: number[] = [];

  /** The real token of a rank. */
  token(rank: number): number {
    return this.tokens[rank] ?? 0;
  }

  get highest(): number {
    return Math.max(0, ...this.tokens);
  }

  rank(token: number): string {
    if (token === 0) return 'none';
    const rank = this.tokens.indexOf(token);
    return rank < 0 ? `stranger ${token}` : `#${rank}`;
  }

  meet(token: number): number {
    const known = this.tokens.indexOf(token);
    return known >= 0 ? known : this.tokens.push(token) - 1;
  }

  claimAnswer(answer: ClaimAnswer): unknown {
    if (answer.kind === 'granted') this.meet(answer.token);
    if (answer.kind === 'unknown') return { ...answer, incarnation: this.rank(Number(answer.incarnation)) };
    if (answer.kind === 'busy')
      return { ...answer, token: this.rank(answer.token), retryInMs: answer.retryInMs > 0 ? 'some' : 'none' };
    return 'token' in answer ? { ...answer, token: this.rank(answer.token) } : answer;
  }

  settleAnswer(answer: SettleAnswer): unknown {
    if (answer.kind !== 'accepted') return answer;
    for (const { token } of answer.fired) if (token !== undefined) this.meet(token);
    const fired = answer.fired.map((f) => (f.token === undefined ? f : { ...f, token: this.rank(f.token) }));
    return { ...answer, fired, token: this.rank(answer.token) };
  }

  /** `now`: claims that have run out and those that hold are told apart, however long they hold. */
  fields(state: LedgerState, now: number): Record<string, string> {
    const entries = [...state.fields].map(([name, value]) => [readable(name), this.field(name, value, now)] as const);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  private field(name: string, value: string, now: number): string {
    if (name === 't' || name === 'i') return this.rank(Number(value));
    if (!name.startsWith(`s${SEP}`)) return readable(value);
    const [state = '', passes = '', token = '', worker = '', until = '', ...others] = value.split(SEP);
    const left = until === '0' ? 'none' : Number(until) > now ? 'held' : 'ran out';
    return [state, readable(passes), this.rank(Number(token)), worker, left, ...others].join(' | ');
  }
}

function readable(text: string): string {
  return text.replaceAll(SEP, ' | ').replaceAll(PASS_SEP, ' / ');
}
