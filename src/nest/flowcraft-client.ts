import { Injectable } from '@nestjs/common';
import type { ResumeOptions } from '../engine/client.js';
import type { RetryOptions, RetryResult } from '../engine/retrier.js';
import type { RunDescription } from '../engine/run-description.js';
import type { RunEvent } from '../engine/run-events.js';
import type { ListOptions, RunPage } from '../engine/run-list.js';
import type { RunOutcome } from '../engine/run-outcome.js';
import type { RunHandle, StartOptions } from '../engine/run-starter.js';
import type { WaitOptions } from '../engine/run-waiter.js';
import type { WebhookEndpoint } from '../engine/webhook-endpoints.js';
import { EngineHost } from './engine-host.js';
import { FlowcraftDeadLetters } from './flowcraft-dead-letters.js';

/**
 * Starts runs and answers for them, from any process of the fleet.
 *
 * Every call throws, besides what it names itself: ArgumentInvalidError for arguments of the wrong type,
 * RunIdInvalidError for what is no run id, CallTimeoutError or UnavailableError if a server is away, the former after
 * `client.callTimeoutMs`, and ClosedError when the application has closed.
 */
@Injectable()
export class FlowcraftClient {
  /** Messages on the topic that were parked because they can never succeed, and the way back for them. */
  readonly deadLetters: FlowcraftDeadLetters;

  constructor(private readonly host: EngineHost) {
    this.deadLetters = new FlowcraftDeadLetters(host);
  }

  /**
   * Starts a run. When the promise resolves, the run is durable: it ends or waits for something, whatever happens to
   * this process. A second start with the same `runId`, blueprint and context answers the run that exists, also if its
   * blueprint, or the `version` asked for, is not registered any more.
   * @param initialContext an object with what the context of the run begins with, by key; values that the serializer can
   * carry
   * @throws BlueprintNotFoundError
   * @throws BlueprintInvalidError
   * @throws NodeImplementationMissingError if the blueprint names node types that nobody registered
   * @throws RunIdConflictError if the id is taken by a run of another blueprint or context
   * @throws ValueNotSerializableError
   * @throws ValueTooLargeError
   * @throws ContextKeyRefusedError
   */
  async start(blueprintId: string, initialContext: object = {}, options: StartOptions = {}): Promise<RunHandle> {
    // an interface has no index signature; that it is an object with values by key is checked
    return (await this.engineClient()).start(blueprintId, initialContext as Record<string, unknown>, options);
  }

  /**
   * Waits until the run has ended, or until it waits itself (`until: 'settled'`), at most `timeoutMs` (60 s). After
   * that the outcome has `timedOut: true` and the status of the moment; the run goes on.
   * @throws RunNotFoundError
   * @throws ClosedError as soon as the application closes and its worker has drained
   */
  async waitForWorkflow(runId: string, options: WaitOptions = {}): Promise<RunOutcome> {
    return (await this.engineClient()).wait(runId, options);
  }

  /**
   * What is known of a run: its status, and each of its nodes' turns.
   * @throws RunNotFoundError
   */
  async getRun(runId: string): Promise<RunDescription> {
    return (await this.engineClient()).describe(runId);
  }

  /**
   * The context of a run as it is now.
   * @throws RunNotFoundError
   */
  async getContext(runId: string): Promise<Record<string, unknown>> {
    return (await this.engineClient()).context(runId);
  }

  /**
   * Runs by the time of their start, the newest first, in pages: pass the `cursor` of an answer to read on, with the same
   * options. Without `from`, those of the 24 hours before `to`, which is now unless you say otherwise: to find older ones,
   * such as approvals that have waited since yesterday, pass an earlier `from`. The list reaches back 30 days.
   */
  async listRuns(options: ListOptions = {}): Promise<RunPage> {
    return (await this.engineClient()).list(options);
  }

  /**
   * Lets a node that waits go on. When the promise resolves, the wait is settled.
   * @throws NodeNotAwaitingError if that node does not wait (yet, or any more: the run may have ended), or another answer
   * was faster
   * @throws ValueNotSerializableError, ValueTooLargeError if the output can't be stored; the node waits on
   * @throws RunNotFoundError
   */
  async resume(runId: string, options: ResumeOptions = {}): Promise<void> {
    await (await this.engineClient()).resumeWith(runId, options);
  }

  /**
   * Makes a URL at which one POST lets a node go on that waits, now or later; its body becomes the node's output. The URL
   * holds a secret of which only a hash is stored, so it can't be told again: each call makes a new one, and those made
   * before stay valid until one of them was used, or expires (`webhooks.ttlSeconds`). A call that comes before the node
   * waits is kept for it; a node of your own that then ends without waiting takes none, and the body is lost.
   * @throws WebhookUrlUnknownError unless `webhooks.baseUrl` is set
   * @throws WebhookTargetInvalidError if there is no such node, it does not wait any more, its turn is not known yet, or its
   * type never waits for a call, as `sleep` and `subflow`
   * @throws RunEndedError
   * @throws RunNotFoundError
   */
  async createWebhookUrl(runId: string, nodeId: string): Promise<WebhookEndpoint> {
    return (await this.engineClient()).createWebhookUrl(runId, nodeId);
  }

  /**
   * Cancels a run: no further node starts, the signals of nodes that execute are aborted, and what these still return
   * is dropped. Cancelling a run that is cancelled does nothing.
   * @param reason is told by `getRun` and `waitForWorkflow`
   * @throws RunEndedError if it has ended otherwise
   * @throws RunNotFoundError
   */
  async cancel(runId: string, reason?: string): Promise<void> {
    await (await this.engineClient()).cancel(runId, reason);
  }

  /**
   * Lets a run that failed or was cancelled go on: from its failed nodes and from those that were under way, or from
   * `fromNodeId`, which executes again together with all that follows it. The run keeps its id, its blueprint and the
   * outcomes that are not discarded. `dryRun` only tells what would execute.
   * @throws ArgumentInvalidError if `fromNodeId` is no node of the blueprint
   * @throws RunNotRetryableError if the run has not ended, has nothing to retry, or is a subflow of another
   * @throws RunNotFoundError
   * @throws ValueNotSerializableError, ValueTooLargeError, ContextKeyRefusedError for `contextPatch`
   */
  async retry(runId: string, options: RetryOptions = {}): Promise<RetryResult> {
    return (await this.engineClient()).retry(runId, options);
  }

  /**
   * What happens in a run, from its beginning and as it goes on; ends with the run. Break out of the loop to stop.
   * @throws RunNotFoundError
   * @throws ClosedError as soon as the application closes
   */
  async *events(runId: string): AsyncGenerator<RunEvent, void, undefined> {
    yield* (await this.engineClient()).events(runId);
  }

  private async engineClient() {
    return (await this.host.ready()).client;
  }
}
