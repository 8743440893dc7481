import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import {
  BadRequestException,
  Controller,
  HttpCode,
  InternalServerErrorException,
  PayloadTooLargeException,
  Post,
  Req,
  VERSION_NEUTRAL,
  type DynamicModule,
  type Type,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Logger } from '../../ports/logger.js';
import type { FlowcraftSettings } from '../settings.js';
import { FLOWCRAFT_LOGGER, FLOWCRAFT_SETTINGS } from '../tokens.js';
import { BodyCapture } from './body-capture.js';
import { FlowcraftWebhooks, type WebhookRequest } from './flowcraft-webhooks.js';

/** Where Nest's decorators keep the path of a controller. */
const PATH_METADATA = 'path';

/** A request of Express, or of Fastify, which wraps that of Node.js. */
interface HttpRequest {
  readonly raw?: IncomingMessage;
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly headers: IncomingHttpHeaders;
  readonly rawBody?: Buffer;
}

/** The module with the endpoint. */
export class FlowcraftWebhookModule {}

/**
 * The endpoint of webhooks as a module. Its path is an option, which may be known only when providers are made; that is
 * before Nest looks for routes. Not mounted, it has no path, and thus no route.
 */
export function webhookModule(core: DynamicModule): DynamicModule {
  const controller = controllerClass();
  return {
    module: FlowcraftWebhookModule,
    imports: [core],
    controllers: [controller],
    providers: [
      {
        provide: BodyCapture,
        useFactory: ({ webhooks }: FlowcraftSettings, host: HttpAdapterHost, logger: Logger) => {
          const { mount, path, maxBodyBytes } = webhooks;
          const capture = new BodyCapture(path, maxBodyBytes);
          Reflect.defineMetadata(PATH_METADATA, mount ? [path] : [], controller);
          if (mount) install(capture, host, logger);
          return capture;
        },
        inject: [FLOWCRAFT_SETTINGS, HttpAdapterHost, FLOWCRAFT_LOGGER],
      },
    ],
  };
}

function controllerClass(): Type {
  // a class of its own for each module, since the path is kept with the class
  @Controller({ path: [], version: VERSION_NEUTRAL })
  class FlowcraftWebhookController {
    constructor(
      private readonly webhooks: FlowcraftWebhooks,
      private readonly capture: BodyCapture,
    ) {}

    @Post(':token')
    @HttpCode(202)
    async receive(@Req() request: object): Promise<{ accepted: true }> {
      const given = request as HttpRequest;
      await this.webhooks.receive(given.params['token'] ?? '', requestOf(given, this.capture));
      return { accepted: true };
    }
  }
  return FlowcraftWebhookController;
}

function requestOf(request: HttpRequest, capture: BodyCapture): WebhookRequest {
  const captured = capture.of(request.raw ?? (request as unknown as IncomingMessage));
  if (!captured) {
    if (request.rawBody) return { headers: request.headers, body: request.rawBody };
    throw new InternalServerErrorException(
      'This kind of HTTP adapter keeps no raw bodies. Create the application with rawBody: true.',
    );
  }
  const { bytes, isTooLarge, contentType } = captured;
  if (isTooLarge) throw new PayloadTooLargeException();
  if (!bytes) throw new BadRequestException();
  const type = contentType === undefined ? {} : { 'content-type': contentType };
  return { headers: { ...request.headers, ...type }, body: bytes };
}

/** A test creates its application, and with it the adapter, after the providers. Without HTTP there never is one. */
function install(capture: BodyCapture, host: HttpAdapterHost, logger: Logger): void {
  const begin = () => {
    if (!host.httpAdapter || capture.install(host.httpAdapter)) return;
    logger.warn('Webhooks need raw bodies with this kind of HTTP adapter: create the application with rawBody: true.');
  };
  if (host.httpAdapter) begin();
  else host.init$.subscribe(begin);
}
