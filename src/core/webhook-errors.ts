import { ErrorCode, FlowcraftKafkaError } from './errors.js';

/** A URL was asked for, but this process does not know under which address the endpoint can be reached. */
export class WebhookUrlUnknownError extends FlowcraftKafkaError {
  readonly code = ErrorCode.WebhookUrlUnknown;
  constructor(runId: string, nodeId: string) {
    super(
      `No URL can be made for node '${nodeId}' of run '${runId}', because this process does not know its public address. Set webhooks.baseUrl, as in 'https://api.example.com'.`,
      { runId, nodeId },
    );
  }
}

/** A URL was asked for a node that no call can answer. */
export class WebhookTargetInvalidError extends FlowcraftKafkaError {
  readonly code = ErrorCode.WebhookTargetInvalid;
  constructor(runId: string, nodeId: string, why: string) {
    super(`No URL can be made for node '${nodeId}' of run '${runId}': ${why}`, { runId, nodeId });
  }
}
