import { ErrorCode, FlowcraftKafkaError, type FlowcraftKafkaErrorOptions } from './errors.js';

/** What is stored was encrypted with a key that this process does not have. */
export class EncryptionKeyUnknownError extends FlowcraftKafkaError {
  readonly code = ErrorCode.EncryptionKeyUnknown;
  constructor(
    readonly keyId: string,
    known: readonly string[],
    options: FlowcraftKafkaErrorOptions = {},
  ) {
    const ids = known.length > 0 ? known.map((id) => `'${id}'`).join(', ') : 'none';
    super(
      `What is stored for run '${options.runId}' is encrypted with the key '${keyId}', which is not among encryption.keys (${ids}). Add it; keys can be removed only when nothing is left that was encrypted with them.`,
      options,
    );
  }
}

/** What is stored can't be decrypted although its key is known, or should be encrypted and is not. */
export class DecryptionFailedError extends FlowcraftKafkaError {
  readonly code = ErrorCode.DecryptionFailed;
  constructor(what: string, reason: string, options: FlowcraftKafkaErrorOptions = {}) {
    super(`The ${what} stored for run '${options.runId}' ${reason}`, options);
  }
}
