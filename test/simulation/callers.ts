import {
  CallTimeoutError,
  ClosedError,
  NodeNotAwaitingError,
  RunEndedError,
  UnavailableError,
} from '../../src/core/errors.js';
import type { TurnRecord } from '../../src/core/run.js';
import type { Flow } from './flows.js';
import type { Fleet, Slot } from './fleet.js';
import type { Random } from './world/random.js';
import type { SimulatedProcess } from './world/process.js';

/** Something that somebody outside wants, and asks for until it is done. */
interface Intent {
  readonly what: string;
  readonly ask: (slot: Slot) => Promise<unknown>;
  /** Not needed any more. */
  readonly isMoot: () => boolean;
  readonly onDone?: () => void;
  /** Errors that are an answer. */
  readonly accepts: (error: unknown) => boolean;
  readonly patience: number;
  by?: SimulatedProcess;
  state: 'open' | 'done' | 'given up';
}

export interface WantedRun {
  readonly runId: string;
  readonly flow: Flow;
  /** `start` has returned. */
  accepted: boolean;
  cancelled: boolean;
}

/** Those who start, resume and cancel runs through clients that may die or find the servers unavailable. */
export class Callers {
  readonly runs: WantedRun[] = [];
  private readonly intents: Intent[] = [];
  private readonly answered = new Set<string>();

  constructor(
    private readonly fleet: Fleet,
    private readonly random: Random,
    private readonly complain: (violation: string) => void,
  ) {
    fleet.onReplaced = (gone) => {
      for (const intent of this.intents) if (intent.by === gone && intent.state === 'open') this.again(intent);
    };
    fleet.world.interceptors.push(async (step, next) => {
      const answer = await next();
      const [write] = step.args as [{ runId: string; record: TurnRecord }];
      if (step.method === 'write' && write.record.awaiting?.reason === 'external_event')
        this.answer(write.runId, write.record);
      return answer;
    });
  }

  /** Nobody wants anything any more that has not happened. */
  get isContent(): boolean {
    return this.intents.every((intent) => intent.state !== 'open');
  }

  /**
   * @param isNamed whoever starts it names it, and can ask again; else the id is made by the process, and known once
   * `start` has returned
   */
  start(flow: Flow, runId: string, ms: number, isNamed = this.random.chance(0.5)): WantedRun {
    const wanted: WantedRun = { runId, flow, accepted: false, cancelled: false };
    const blueprintId = flow.blueprints[0]?.id ?? '';
    this.runs.push(wanted);
    this.want(ms, {
      what: `start ${runId}`,
      ask: ({ process }) => {
        if (isNamed) return process.engine.client.start(blueprintId, {}, { runId });
        process.nextRunId = runId;
        return process.engine.client.start(blueprintId, {}, {});
      },
      isMoot: () => false,
      accepts: () => false,
      onDone: () => {
        wanted.accepted = true;
      },
      // nobody knows the id of a start that failed
      patience: isNamed ? 0.9 : 0,
    });
    return wanted;
  }

  /** Starts a run once more that has been started. */
  repeat({ runId, flow }: WantedRun): void {
    const blueprintId = flow.blueprints[0]?.id ?? '';
    this.want(0, {
      what: `repeat the start of ${runId}`,
      ask: ({ process }) => process.engine.client.start(blueprintId, {}, { runId }),
      isMoot: () => false,
      accepts: () => false,
      patience: 0.5,
    });
  }

  cancel(wanted: WantedRun): void {
    wanted.cancelled = true;
    this.want(0, {
      what: `cancel ${wanted.runId}`,
      ask: ({ process }) => process.engine.client.cancel(wanted.runId, undefined),
      isMoot: () => !this.fleet.world.servers.store.runs.has(wanted.runId),
      accepts: (error) => error instanceof RunEndedError,
      patience: 0.7,
    });
  }

  private answer(runId: string, { nodeId, turn }: TurnRecord): void {
    const key = `${runId} ${nodeId} ${turn}`;
    if (this.answered.has(key)) return;
    this.answered.add(key);
    const { runs, turns } = this.fleet.world.servers.store;
    const { parent } = runs.get(runId) ?? {};
    const top = this.runs.find((run) => run.runId === (parent?.rootRunId ?? runId));
    const answer = top?.flow.answers[nodeId];
    if (!answer) return;
    const row = () => turns.get(runId)?.get(`${nodeId}\u001f${turn}`);
    // an answer that is written may still lose its claim: it counts when the ledger has taken it
    const ledger = () => this.fleet.world.servers.ledger.runs.get(runId)?.turn(nodeId, turn)?.state;
    const isMoot = () =>
      runs.get(runId)?.status !== 'running' || (row()?.status !== 'awaiting' && (ledger() ?? 'D') === 'D');
    // sometimes two answer at once
    for (let times = this.random.chance(0.1) ? 2 : 1; times > 0; times--) {
      const throughParent = parent !== undefined && this.random.chance(0.3);
      this.want(this.random.between(0, 2000), {
        what: `resume ${key}`,
        ask: async ({ process }) => {
          const { client } = process.engine;
          if (throughParent) await client.resume(parent.runId, parent.nodeId, answer);
          else await client.resume(runId, nodeId, answer);
          // resolves once the wait is settled
          if (!throughParent && row()?.status === 'awaiting' && runs.get(runId)?.status === 'running')
            this.complain(`resume of ${key} resolved, but the journal says that the node waits`);
        },
        isMoot,
        accepts: (error) => error instanceof NodeNotAwaitingError && isMoot(),
        patience: 1,
      });
    }
  }

  private want(ms: number, intent: Omit<Intent, 'state'>): void {
    const open: Intent = { ...intent, state: 'open' };
    this.intents.push(open);
    this.fleet.world.time.after(ms, () => this.ask(open));
  }

  private ask(intent: Intent): void {
    if (intent.isMoot()) {
      intent.state = 'done';
      return;
    }
    const clients = this.fleet.running('client');
    if (clients.length === 0) return this.later(intent);
    const slot = this.random.pick(clients);
    this.fleet.world.say(() => `${slot.process.name} is asked to ${intent.what}`);
    intent.by = slot.process;
    intent.ask(slot).then(
      () => {
        intent.state = 'done';
        intent.onDone?.();
      },
      (error: unknown) => {
        if (intent.accepts(error) || !this.fleet.isOpen) intent.state = 'done';
        else if (
          error instanceof UnavailableError ||
          error instanceof CallTimeoutError ||
          error instanceof NodeNotAwaitingError ||
          // the process was asked to stop, and another takes its place
          error instanceof ClosedError
        )
          this.again(intent);
        else {
          intent.state = 'given up';
          this.complain(`${intent.what} failed: ${error instanceof Error ? error.message : String(error)}`);
        }
      },
    );
  }

  private again(intent: Intent): void {
    if (this.random.chance(intent.patience)) this.later(intent);
    else intent.state = 'given up';
  }

  private later(intent: Intent): void {
    this.fleet.world.time.after(this.random.between(100, 3000), () => this.ask(intent));
  }
}
