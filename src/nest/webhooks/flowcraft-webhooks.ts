import type { IncomingHttpHeaders } from 'node:http';
import {
  BadRequestException,
  Inject,
  Injectable,
  NotFoundException,
  PayloadTooLargeException,
  ServiceUnavailableException,
  UnauthorizedException,
} from '@nestjs/common';
import { ErrorCode, FlowcraftKafkaError } from '../../core/errors.js';
import type { Clock } from '../../ports/clock.js';
import type { Logger } from '../../ports/logger.js';
import { EngineHost } from '../engine-host.js';
import type { FlowcraftSettings } from '../settings.js';
import { FLOWCRAFT_CLOCK, FLOWCRAFT_LOGGER, FLOWCRAFT_SETTINGS } from '../tokens.js';
import { decodeBody } from './webhook-body.js';
import { isSigned } from './webhook-signature.js';

/** A call as it came: the body byte for byte, since a signature is over bytes. */
export interface WebhookRequest {
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

/** Receives calls to webhooks. The endpoint that the module mounts uses it, and so can one of your own. */
@Injectable()
export class FlowcraftWebhooks {
  /** Holds secrets, which nobody sees who looks at this object. */
  readonly #settings: FlowcraftSettings;

  constructor(
    private readonly host: EngineHost,
    @Inject(FLOWCRAFT_SETTINGS) settings: FlowcraftSettings,
    @Inject(FLOWCRAFT_CLOCK) private readonly clock: Clock,
    @Inject(FLOWCRAFT_LOGGER) private readonly logger: Logger,
  ) {
    this.#settings = settings;
  }

  /**
   * Lets the node go on that the token is for, with the body as its output. When the promise resolves, that is durable.
   * @param token the last part of the URL
   * @throws PayloadTooLargeException (413) over `webhooks.maxBodyBytes` or `limits.maxValueBytes`
   * @throws UnauthorizedException (401) if the signature is missing or wrong, or its time outside of the window
   * @throws BadRequestException (400) if the body is not what its type says, or nested deeper than `limits.maxValueDepth`
   * @throws NotFoundException (404) if the token is unknown, used or expired, or nothing waits for it any more
   * @throws ServiceUnavailableException (503) if a server is away: the token is still valid unless the call was taken
   */
  async receive(token: string, { headers, body }: WebhookRequest): Promise<void> {
    const { maxBodyBytes, hmac } = this.#settings.webhooks;
    if (body.length > maxBodyBytes) throw new PayloadTooLargeException();
    if (hmac && !isSigned(hmac, headers, body, this.clock.now())) throw new UnauthorizedException();
    const output = decodeBody(body, headers['content-type'], headers['content-encoding']);
    let isTaken: boolean;
    try {
      isTaken = await (await this.host.ready()).receive(token, output);
    } catch (error) {
      throw this.answerTo(error);
    }
    // the same for whatever reason: nobody learns which tokens there were
    if (!isTaken) throw new NotFoundException();
  }

  private answerTo(error: unknown): unknown {
    if (!(error instanceof FlowcraftKafkaError)) return error;
    const { code } = error;
    if (code === ErrorCode.ValueTooLarge || code === ErrorCode.ContextTooLarge) return new PayloadTooLargeException();
    if (code === ErrorCode.ValueTooDeep) return new BadRequestException('The body is nested too deeply.');
    this.logger.warn('A call to a webhook could not be taken, and may be repeated.', { error });
    return error.retryable || code === ErrorCode.Closed ? new ServiceUnavailableException() : error;
  }
}
