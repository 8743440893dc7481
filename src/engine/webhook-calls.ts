import { isEndStatus, type TurnRecord } from '../core/run.js';
import { hashOfToken, isAnswerable, type WebhookCall } from '../core/webhook.js';
import { delay, type Clock, type Ids } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';
import type { StoredWebhook } from '../ports/run-store.js';
import type { ActiveRun } from './active-run.js';
import type { ClientCalls } from './client-calls.js';
import type { ContextSources } from './run-context.js';
import type { WaitEnding, WaitingTurns } from './waiting-turns.js';

export interface WebhookCallsParts {
  readonly sources: ContextSources;
  readonly waiting: WaitingTurns;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
}

/** While another has the claim of the turn. */
const LOOK_AGAIN_MS = 100;

/**
 * Takes what was posted to a URL. A turn that waits is settled with it, under a claim like any answer; only then the URL
 * counts as used. For a turn that does not wait yet the call is kept. Both sides look whether the other has come, after
 * they have written their own part: who keeps a call, for a turn that waits by now; the turn that begins to wait, for a
 * call that is kept.
 */
export class WebhookCalls {
  constructor(private readonly parts: WebhookCallsParts) {}

  /**
   * Answers whether the call was taken. If not, the token is unknown, expired or used, or nothing waits for it any more.
   * @param calls bounds the time that this takes
   * @throws ValueTooLargeError, ValueTooDeepError, ValueNotSerializableError if the output can't be stored
   * @throws UnavailableError, CallTimeoutError, ClosedError; the call can be repeated, with the same token
   */
  async receive(calls: ClientCalls, token: string, output: unknown): Promise<boolean> {
    const { sources, clock, ids } = this.parts;
    const hash = hashOfToken(token);
    const text = sources.codec.encode(output, 'The body of a call to a webhook');
    const id = ids.runId();
    const caller = { isGone: false };
    const work = async () => {
      const hook = await this.until(() => sources.store.webhook(hash));
      if (!hook || hook.used || hook.expiresAt <= clock.now()) return false;
      const { runId, nodeId, turn } = hook;
      return this.take(hook, { runId, nodeId, turn, id, output: text, at: clock.now() }, caller);
    };
    try {
      return await calls.run('The call to a webhook', undefined, work);
    } finally {
      // who was told of a failure calls again: what has not begun by now must not take the turn from that
      caller.isGone = true;
    }
  }

  /** A turn has begun to wait, or may have: a call may have come before. */
  async beganToWait(run: ActiveRun, row: TurnRecord): Promise<void> {
    const { store } = this.parts.sources;
    const call = await this.until(() => store.keptCall(run.runId, row), row);
    if (!call) return;
    const ending = await this.settle(run, row, call);
    // who has the claim drops the call, or is lost and somebody comes here again
    if (ending !== 'taken') await this.until(() => store.dropCall(call), row);
  }

  private async take(hook: StoredWebhook, call: WebhookCall, caller: { isGone: boolean }): Promise<boolean> {
    const { sources, clock, logger } = this.parts;
    const { store, runs } = sources;
    const { runId, nodeId, turn } = hook;
    for (let isKept = false; ;) {
      const run = await this.until(() => runs.current(runId), hook);
      const isOver = !run || isEndStatus(run.record.status);
      if (!isKept && isOver) return false;
      const row = await this.until(() => store.turn(runId, nodeId, turn), hook);
      if (!isKept && caller.isGone) return false;
      if (row && isSettled(row)) {
        if (!isKept) return false;
        await this.drop(call);
        // by this call, as who began to wait has found it; or by what came at the same moment
        if (row.output !== call.output) return false;
        break;
      }
      if (isOver) {
        await this.drop(call); // a retry of the run shall not find it
        return false;
      }
      if (isAnswerable(row)) {
        // a call that was kept has been promised to be the answer
        const first = isKept ? call : ((await this.until(() => store.keptCall(runId, hook), hook)) ?? call);
        const ending = await this.settle(run, row, first);
        if (ending !== 'taken' && (isKept || first !== call)) await this.drop(first);
        if (ending === 'settled' && first.id === call.id) break;
        await delay(clock, LOOK_AGAIN_MS);
      } else if (isKept) {
        break;
      } else {
        isKept = await this.until(() => store.keepCall(call), hook);
        if (!isKept) return false;
      }
    }
    logger.debug('A webhook was called.', { runId, nodeId, turn });
    await this.use(hook);
    return true;
  }

  private settle(run: ActiveRun, row: TurnRecord, { output }: WebhookCall): Promise<WaitEnding> {
    const result = { output: this.parts.sources.codec.decode(output) };
    return this.parts.waiting.settle(run, row, async () => ({ status: 'completed', result }));
  }

  /** Its turn is settled or will be: no failure may make the caller believe otherwise. */
  private async use(hook: StoredWebhook): Promise<void> {
    await this.tidy(() => this.parts.sources.store.useWebhook(hook), hook);
  }

  private async drop(call: WebhookCall): Promise<void> {
    await this.tidy(() => this.parts.sources.store.dropCall(call), call);
  }

  private async tidy(work: () => Promise<void>, { runId, nodeId, turn }: Target): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.parts.logger.debug('What a webhook left behind was not tidied up.', { runId, nodeId, turn, error });
    }
  }

  /** The server may be away for a moment. Whoever calls is answered in time all the same. */
  private until<T>(call: () => Promise<T>, { runId, nodeId, turn }: Partial<Target> = {}): Promise<T> {
    return this.parts.sources.persistence.until(call, {
      ...(runId === undefined ? {} : { runId }),
      ...(nodeId === undefined ? {} : { nodeId }),
      ...(turn === undefined ? {} : { turn }),
    });
  }
}

type Target = Pick<WebhookCall, 'runId' | 'nodeId' | 'turn'>;

function isSettled({ status }: TurnRecord): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}
