import { ENDED } from '../../core/ledger-state.js';
import { IllegalStateError } from '../../core/errors.js';
import type { ClaimAnswer, FiredTurn, SettleAnswer } from '../../core/ledger-calls.js';
import { PASS_SEP, SEP } from '../../core/ledger-fields.js';
import type { Origin, Settlement, SettlementTarget } from '../../core/settlement.js';
import { FIRST_TURN, turnOfArrival } from '../../core/turns.js';

const ACCEPTED_HEAD = 9;
const FIRED_PARTS = 5;
const STRAIGHT_PARTS = 10;

/** The settlement as the script `settle` reads it: names that take a digest are worked out here. */
export function encodeSettlement(settlement: Settlement): string {
  const { targets, late } = settlement;
  return JSON.stringify({
    ...settlement,
    targets: targets.map(encodeTarget),
    ...(late ? { late: { ...late, targets: late.targets.map(encodeTarget) } } : {}),
  });
}

function encodeTarget(target: SettlementTarget): unknown {
  if (!target.entry) return target;
  const { source, turn, plain } = target.entry;
  return { ...target, entry: plain ? { plain } : { plain, arrival: turnOfArrival(source, turn) } };
}

export function decodeClaim(reply: unknown): ClaimAnswer {
  const parts = new Parts('claim', reply);
  const kind = parts.text(0);
  switch (kind) {
    case 'granted': {
      const retries = parts.optional(5);
      return {
        kind,
        token: parts.number(1),
        passes: parts.passes(2),
        claims: parts.number(3),
        ...parts.origin(4),
        ...(retries === undefined ? {} : { retries: Number(retries) }),
      };
    }
    case 'settled':
      return { kind, token: parts.number(1), passes: parts.passes(2), ...parts.origin(3) };
    case 'busy':
      return { kind, worker: parts.text(1), token: parts.number(2), retryInMs: parts.number(3) };
    case 'closed':
      return { kind, status: parts.text(1) };
    case 'unknown':
      return { kind, incarnation: parts.text(1) };
    case 'awaiting':
    case 'missing':
      return { kind };
    default:
      return parts.refuse();
  }
}

export function decodeSettle(reply: unknown): SettleAnswer {
  if (typeof reply === 'string') return decodeStraight(reply);
  const parts = new Parts('settle', reply);
  const kind = parts.text(0);
  switch (kind) {
    case 'accepted': {
      const tooManyTurnsAt = parts.optional(6);
      return {
        kind,
        fired: firedOf(parts, ACCEPTED_HEAD),
        ...(tooManyTurnsAt === undefined ? {} : { tooManyTurnsAt }),
        open: parts.number(1),
        awaiting: parts.number(2),
        failed: parts.optional(3) !== undefined,
        isOver: parts.optional(3) === ENDED,
        rescued: parts.optional(4) === '1',
        unsent: parts.number(7),
        token: parts.number(5),
        turns: parts.number(8),
      };
    }
    case 'closed':
      return { kind, status: parts.text(1) };
    case 'lost':
    case 'expired':
    case 'missing':
      return { kind };
    default:
      return parts.refuse();
  }
}

/** What `straight` answers. */
function decodeStraight(reply: string): SettleAnswer {
  const parts = reply.split(SEP);
  const [open, awaiting, failed = '', rescued, token, tooManyTurnsAt = '', unsent, turns, node = '', claimed = ''] =
    parts;
  if (parts.length !== STRAIGHT_PARTS) new Parts('straight', parts).refuse();
  return {
    kind: 'accepted',
    fired:
      node === ''
        ? []
        : [{ node, turn: FIRST_TURN, passes: [], ...(claimed === '' ? {} : { token: Number(claimed) }) }],
    ...(tooManyTurnsAt === '' ? {} : { tooManyTurnsAt }),
    open: Number(open),
    awaiting: Number(awaiting),
    failed: failed !== '',
    isOver: failed === ENDED,
    rescued: rescued === '1',
    unsent: Number(unsent),
    token: Number(token),
    turns: Number(turns),
  };
}

/** Undefined: it has to be settled by itself. */
export function decodeSettles(replies: unknown): (SettleAnswer | undefined)[] {
  const parts = new Parts('settleStraight', replies);
  return Array.from({ length: parts.length }, (_, i) => {
    const reply = parts.part(i);
    return reply === null ? undefined : decodeSettle(reply);
  });
}

/** Undefined: the settle was not done with the others. */
export function decodeSettleGroup(reply: unknown): (SettleAnswer | undefined)[] {
  const parts = new Parts('settleGroup', reply);
  const [others, last] = [decodeSettle(parts.part(0)), decodeSettle(parts.part(2))];
  return [...Array.from(parts.text(1), (flag) => (flag === '1' ? others : undefined)), last];
}

/** Undefined: there is no state. */
export function decodeClaimUnsent(reply: unknown): FiredTurn[] | undefined {
  return reply === null ? undefined : firedOf(new Parts('claimUnsent', reply), 0);
}

function firedOf(parts: Parts, head: number): FiredTurn[] {
  const fired: FiredTurn[] = [];
  for (let i = head; i < parts.length; i += FIRED_PARTS) {
    const token = parts.optional(i + 3);
    fired.push({
      node: parts.text(i),
      turn: parts.text(i + 1),
      passes: parts.passes(i + 2),
      ...(token === undefined ? {} : { token: Number(token) }),
      ...parts.origin(i + 4),
    });
  }
  return fired;
}

/** The answer of a script: texts, and null where there is none. */
export class Parts {
  private readonly values: readonly unknown[];

  constructor(
    private readonly script: string,
    private readonly reply: unknown,
  ) {
    this.values = Array.isArray(reply) ? reply : this.refuse();
  }

  get length(): number {
    return this.values.length;
  }

  /** An answer within the answer. */
  part(index: number): unknown {
    return this.values[index];
  }

  optional(index: number): string | undefined {
    const value = this.values[index];
    if (value === null || value === undefined) return undefined;
    return typeof value === 'string' ? value : this.refuse();
  }

  text(index: number): string {
    return this.optional(index) ?? this.refuse();
  }

  number(index: number): number {
    return Number(this.text(index));
  }

  passes(index: number): string[] {
    const text = this.text(index);
    return text === '' ? [] : text.split(PASS_SEP);
  }

  origin(index: number): { origin?: Origin } {
    const text = this.optional(index);
    if (text === undefined) return {};
    const [creator = '', creatorTurn = '', gather = '', batch] = text.split(SEP);
    const of = batch === undefined ? {} : { batch };
    return { origin: { creator, creatorTurn, ...(gather === '' ? {} : { gather }), ...of } };
  }

  refuse(): never {
    throw new IllegalStateError(
      `The script '${this.script}' answered ${JSON.stringify(this.reply)}. This is a bug: please report it.`,
    );
  }
}
