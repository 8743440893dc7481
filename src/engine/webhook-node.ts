import { WebhookNode, type NodeClass, type NodeContext, type NodeResult, type WorkflowState } from 'flowcraft';
import type { TurnInfo } from './node-execution.js';
import type { ContextSources } from './run-context.js';
import { answeringNode, type WebhookEndpoints } from './webhook-endpoints.js';

interface Endpoint {
  readonly url: string;
  readonly event: string;
}

/**
 * What stands in for flowcraft's WebhookNode, whose output holds a promise that only its own process could keep. This
 * one waits for the call itself, with the body as its output. It goes on at once, as flowcraft's does, if another node
 * of the blueprint waits for its event; and if the application brings an adapter that makes endpoints of its own.
 * @param own the adapter that leads back to this engine
 */
export function webhookNode(
  endpoints: WebhookEndpoints,
  { runs, persistence }: Pick<ContextSources, 'runs' | 'persistence'>,
  own: unknown,
): NodeClass {
  return class DurableWebhookNode extends WebhookNode {
    override async prep(context: NodeContext): Promise<Endpoint | undefined> {
      const nodeId = this.nodeId ?? '';
      const { adapter, turn } = context.dependencies as unknown as Dependencies;
      if (adapter !== own && typeof adapter?.registerWebhookEndpoint === 'function')
        return (await super.prep(context)) as Endpoint;
      const run = await persistence.until(() => runs.find(turn.runId), { runId: turn.runId, nodeId });
      if (!run || answeringNode(run, nodeId) === nodeId) return undefined;
      const { url, event } = await endpoints.create(run, nodeId, turn);
      return { url, event };
    }

    override async exec(endpoint: Endpoint | undefined, context: NodeContext): Promise<NodeResult> {
      if (endpoint) return super.exec(endpoint, context);
      const state = context.dependencies['workflowState'] as WorkflowState<Record<string, unknown>>;
      await state.markAsAwaiting(this.nodeId ?? '', { reason: 'external_event' });
      return { output: undefined };
    }
  };
}

interface Dependencies {
  readonly adapter?: { readonly registerWebhookEndpoint?: unknown };
  readonly turn: TurnInfo;
}
