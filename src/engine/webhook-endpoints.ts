import { isEndStatus, isRetry, type TurnName, type TurnRecord } from '../core/run.js';
import { RunEndedError } from '../core/errors.js';
import { turnAhead, type AskingTurn } from '../core/turn-ahead.js';
import { eventOfWebhook, hashOfToken, isAnswerable } from '../core/webhook.js';
import { WebhookTargetInvalidError, WebhookUrlUnknownError } from '../core/webhook-errors.js';
import type { Clock, Ids } from '../ports/clock.js';
import type { ActiveRun } from './active-run.js';
import { neverAnswered } from './callable-nodes.js';
import type { WebhookSettings } from './engine-options.js';
import type { FlowcraftRuntime } from './flowcraft-runtime.js';
import type { ContextSources } from './run-context.js';

/** Where the outside world answers one turn of a node, with a POST. */
export interface WebhookEndpoint {
  /** Holds the secret: whoever knows it can answer, once. It can't be read again. */
  readonly url: string;
  /** As flowcraft names it: `webhook:<node id>`. */
  readonly event: string;
  /** ISO 8601. */
  readonly expiresAt: string;
}

/** What nodes find as `dependencies.webhooks`. */
export interface NodeWebhooks {
  /**
   * Makes a URL for a node of the same run that waits now or later; in a loop, for its turn in the pass of the node that
   * asks. What is posted there before the node waits is kept until it does.
   * @throws WebhookUrlUnknownError unless `webhooks.baseUrl` is set
   * @throws WebhookTargetInvalidError if there is no such node, if it has its outcome, if its turn can't be told yet, or if
   * its type never waits for a call, as `sleep` and `subflow`
   */
  urlFor(nodeId: string): Promise<WebhookEndpoint>;
}

export interface WebhookEndpointsParts {
  readonly flowcraft: FlowcraftRuntime;
  readonly sources: Pick<ContextSources, 'store' | 'persistence' | 'runs'>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly settings: WebhookSettings | undefined;
}

/** Makes URLs for turns. Of each only a hash is stored, before the URL is told. */
export class WebhookEndpoints {
  constructor(private readonly parts: WebhookEndpointsParts) {}

  /** The same as `create`, for the nodes of a turn. */
  within(run: ActiveRun, asking: AskingTurn): NodeWebhooks {
    return { urlFor: (nodeId) => this.create(run, nodeId, asking) };
  }

  /**
   * A new URL for the turn of the node that waits, or else for the one that will.
   * @throws WebhookUrlUnknownError, WebhookTargetInvalidError, RunEndedError
   */
  async create(run: ActiveRun, nodeId: string, asking?: AskingTurn): Promise<WebhookEndpoint> {
    const { sources, clock, ids, settings } = this.parts;
    const { runId } = run;
    if (settings?.baseUrl === undefined) throw new WebhookUrlUnknownError(runId, nodeId);
    const target = await this.targetOf(run, answeringNode(run, nodeId), asking);
    const token = ids.token();
    const expiresAt = clock.now() + settings.ttlSeconds * 1000;
    const hook = { hash: hashOfToken(token), runId, ...target, expiresAt };
    await sources.persistence.until(() => sources.store.addWebhook(hook), { runId, ...target });
    return {
      url: `${settings.baseUrl.replace(/\/+$/, '')}/${settings.path}/${token}`,
      event: eventOfWebhook(nodeId),
      expiresAt: new Date(expiresAt).toISOString(),
    };
  }

  private async targetOf(run: ActiveRun, nodeId: string, asking: AskingTurn | undefined): Promise<TurnName> {
    const { store, persistence } = this.parts.sources;
    const { runId, plan } = run;
    const invalid = (why: string) => new WebhookTargetInvalidError(runId, nodeId, why);
    const [record, all] = await persistence.until(() => Promise.all([store.run(runId), store.turns(runId, false)]), {
      runId,
      nodeId,
    });
    if (record && isEndStatus(record.status)) throw new RunEndedError(runId, record.status);
    const never = neverAnswered(plan, nodeId, this.parts.flowcraft);
    if (never !== undefined) throw invalid(never);
    const rows = all.filter((row) => row.nodeId === nodeId);
    const ahead = turnAhead(plan, nodeId, asking);
    const waiting = rows.filter(isAnswerable).sort(latestFirst)[0];
    const turn = asking === undefined ? (waiting?.turn ?? ahead) : (ahead ?? waiting?.turn);
    if (turn === undefined) {
      if (!plan.nodes.has(nodeId)) throw invalid(`its blueprint '${plan.id}' has no such node.`);
      throw invalid(
        'it does not wait yet, and may do so more than once, so that its turn is not known. Ask from a node in the same loop, or when it waits.',
      );
    }
    const row = rows.find((other) => other.turn === turn);
    if (row?.status === 'awaiting' && !isRetry(row) && !isAnswerable(row))
      throw invalid('it waits for a time or for a subflow, not for a call.');
    if (row && row.status !== 'reset' && row.status !== 'awaiting')
      throw invalid(`it does not wait any more: it has ${row.status}.`);
    // a node that is executed again asks again: to fail it would undo what its first URL has brought about
    if (asking === undefined && (await persistence.until(() => store.keptCall(runId, { nodeId, turn }), { runId })))
      throw invalid('a call to it has come already, and is its answer once it waits.');
    return { nodeId, turn };
  }
}

/**
 * The node that a call to a webhook node answers: the node itself, unless the blueprint has, as flowcraft has it, another
 * one that waits for its event.
 */
export function answeringNode({ plan }: ActiveRun, nodeId: string): string {
  if (plan.nodes.get(nodeId)?.definition.uses !== 'webhook') return nodeId;
  const event = eventOfWebhook(nodeId);
  const waits = plan.blueprint.nodes.find(({ id, params }) => id !== nodeId && params?.['eventName'] === event);
  return waits?.id ?? nodeId;
}

function latestFirst(a: TurnRecord, b: TurnRecord): number {
  return b.token - a.token;
}
