import type { ClaimRequest } from '../../src/core/ledger-state.js';
import { LedgerState, type SettleAnswer, type SettleRequest } from '../../src/core/ledger-state.js';
import type { RunStatus } from '../../src/core/run.js';
import { Abilities } from '../../src/engine/abilities.js';
import { Anchor } from '../../src/engine/anchor.js';
import { BlueprintCatalog } from '../../src/engine/blueprint-catalog.js';
import { GivenBack } from '../../src/engine/claimed-ahead.js';
import { Opener } from '../../src/engine/opener.js';
import { Rebuilder } from '../../src/engine/rebuilder.js';
import { TurnsUnderWay } from '../../src/engine/turns-under-way.js';
import { UnknownTurn } from '../../src/engine/unknown-turn.js';
import { UnsentTurns } from '../../src/engine/unsent-turns.js';
import type { StatusWrite, TurnWrite } from '../../src/ports/run-store.js';
import { Random } from './world/random.js';
import type { Interceptor } from './world/world.js';
import type { World } from './world/world.js';

/** The protocol with one safeguard less: the simulation must see what comes of it. */
export interface Mutant {
  readonly sabotage?: (world: World) => void;
  /** @default true */
  readonly reconciler?: boolean;
  /** Where it shows, if that is in few flows only. */
  readonly flow?: string;
}

export const MUTANTS: Readonly<Record<string, Mutant>> = {
  'rows are stamped as they arrive, not with the token of their claim': servers((world) => (step, next) => {
    if (step.method !== 'write') return next();
    const [{ runId, record }] = step.args as [TurnWrite];
    const before = world.servers.store.turns.get(runId)?.get(`${record.nodeId}\u001f${record.turn}`);
    if (!before || before.token <= record.token) return next();
    const args = step.args as unknown[];
    const given = args[0] as TurnWrite;
    args[0] = { ...given, record: { ...record, token: before.token + 1 } };
    return next().finally(() => (args[0] = given));
  }),

  'a settle is accepted under any token': servers((world) => (step, next) => {
    if (step.method !== 'settle') return next();
    const [runId, { settlement, token, worker }] = step.args as [string, SettleRequest];
    const state = world.servers.ledger.runs.get(runId);
    const turn = state?.turn(settlement.node, settlement.turn);
    if (state && turn && turn.state === 'C')
      state.putTurn(settlement.node, settlement.turn, { ...turn, token, worker, until: Number.MAX_SAFE_INTEGER });
    return next();
  }),

  'arrivals at a join are counted, not noted by name': {
    sabotage: () => {
      LedgerState.prototype.get = function (name) {
        return name.startsWith('a\u001f') ? undefined : this.fields.get(name);
      };
    },
  },

  'a message whose turn has settled is dropped': servers(() => async (step, next) => {
    const answer = (await next()) as { kind: string };
    return step.method === 'claim' && answer.kind === 'settled' ? { kind: 'closed', status: 'completed' } : answer;
  }),

  'what went on without a message is not sent when the message before it comes again': {
    sabotage: () => {
      UnsentTurns.prototype.send = () => Promise.resolve();
    },
  },

  'who claims the first node of a run again does as if for the first time': {
    sabotage: () => {
      const open: Opener['open'] = Reflect.get(Opener.prototype, 'open');
      Opener.prototype.open = function (run, first, _claims, beginning) {
        return open.call(this, run, first, 1, beginning);
      };
    },
    flow: 'many starts',
  },

  'a message does not stand for what goes on without one': {
    sabotage: () => {
      const goOn: TurnsUnderWay['goOn'] = Reflect.get(TurnsUnderWay.prototype, 'goOn');
      TurnsUnderWay.prototype.goOn = function (key, turn, drive) {
        goOn.call(this, key, { ...turn, anchor: new Anchor() }, drive);
      };
    },
  },

  'a turn that is given back gets no message': {
    sabotage: () => {
      const goOn: TurnsUnderWay['goOn'] = Reflect.get(TurnsUnderWay.prototype, 'goOn');
      TurnsUnderWay.prototype.goOn = function (key, turn, drive) {
        const given = (error: unknown) => {
          if (error instanceof GivenBack) return true;
          throw error;
        };
        goOn.call(this, key, turn, (flight) => drive(flight).catch(given));
      };
    },
  },

  'only what goes on with a worker counts as unsent': servers((world) => async (step, next) => {
    const answer = (await next()) as SettleAnswer;
    if (step.method !== 'settle' || answer.kind !== 'accepted') return answer;
    const [runId] = step.args as [string];
    const elsewhere = answer.fired.filter(({ token }) => token === undefined);
    world.servers.ledger.runs.get(runId)?.sent(elsewhere);
    return answer;
  }),

  'a message counts as done when it is received': {
    sabotage: (world) => {
      const { onDelivery } = world;
      world.onDelivery = async (process, message, handler) => {
        const handled = onDelivery ? onDelivery(process, message, handler) : handler.handle(message);
        handled.catch(() => undefined);
      };
    },
  },

  'a claim is never taken from anybody': servers((world) => (step, next) => {
    if (step.method !== 'claim') return next();
    const [runId, { node, turn, worker }] = step.args as [string, ClaimRequest];
    const held = world.servers.ledger.runs.get(runId)?.turn(node, turn);
    return held?.state === 'C' && held.worker !== worker
      ? Promise.resolve({ kind: 'busy', worker: '?', token: held.token, retryInMs: 5_000 })
      : next();
  }),

  'a lost ledger is not rebuilt': servers(() => (step, next) => {
    return step.method === 'lock' ? Promise.resolve({ kind: 'exists' }) : next();
  }),

  'a rebuild does not write again what it accepts': {
    sabotage: (world) => {
      delayWrites(world);
      (Rebuilder.prototype as unknown as { rewrite: () => Promise<boolean> }).rewrite = () => Promise.resolve(true);
    },
  },

  'a turn that the ledger does not know is dropped': {
    sabotage: () => {
      UnknownTurn.prototype.isNotDue = () => Promise.resolve(true);
    },
  },

  'a run follows the code of its workers': {
    sabotage: () => {
      const pinned: BlueprintCatalog['pinned'] = Reflect.get(BlueprintCatalog.prototype, 'pinned');
      BlueprintCatalog.prototype.pinned = async function (id, hash) {
        return this.knows(id) ? this.current(id) : pinned.call(this, id, hash);
      };
    },
  },

  'a node fails on a worker that lacks its code': {
    sabotage: () => {
      Abilities.prototype.lacks = () => undefined;
    },
  },

  'nobody looks for stalled runs': { reconciler: false },

  'the end of a run can be overwritten': servers((world) => (step, next) => {
    const [runId] = step.args as [string];
    const run = world.servers.store.runs.get(runId);
    if (step.method === 'end' && step.server === 'cassandra' && run)
      world.servers.store.runs.set(runId, { ...run, status: 'running' });
    return next();
  }),

  'the last status to arrive holds': servers((world) => (step, next) => {
    const [{ runId }] = step.args as [StatusWrite & { status: RunStatus }];
    const cells = step.method === 'writeStatus' ? world.servers.store.statuses.get(runId) : undefined;
    if (cells) cells.headStamp = 0;
    return next();
  }),
};

/** What mutants need to show, with all safeguards in place: then nothing goes wrong. */
export const CONTROLS: Readonly<Record<string, Mutant>> = {
  'some writes take longer than their claims': { sabotage: delayWrites },
};

/** Some writes take longer than a claim: of two claimants both may write, in any order, and the ledger may be lost in between. */
function delayWrites(world: World): void {
  const random = new Random(world.seed, 'slow writes');
  world.interceptors.push(async (step, next) => {
    if (step.method !== 'write' || step.process.state === 'dead' || !random.chance(0.2)) return next();
    await new Promise<void>((resolve) => world.time.after(random.between(0, 25_000), resolve));
    return next();
  });
}

/** A safeguard that is a matter of the servers. */
function servers(interceptor: (world: World) => Interceptor): Mutant {
  return { sabotage: (world) => void world.interceptors.push(interceptor(world)) };
}
