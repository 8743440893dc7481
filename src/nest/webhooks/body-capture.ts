import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpAdapterHost } from '@nestjs/core';

/** What came with a request, byte for byte. */
export interface CapturedBody {
  /** Undefined: larger than it may be, or cut off. */
  readonly bytes: Buffer | undefined;
  readonly isTooLarge: boolean;
  readonly contentType: string | undefined;
}

type Adapter = NonNullable<HttpAdapterHost['httpAdapter']>;
type Next = (error?: unknown) => void;
interface FastifyLike {
  addHook(
    name: 'preParsing',
    hook: (request: { raw: IncomingMessage }, reply: { raw: ServerResponse }, payload: unknown) => Promise<unknown>,
  ): void;
}

/** The headers from which a framework concludes that there is a body to parse. */
const BODY_HEADERS = ['content-type', 'content-length', 'transfer-encoding'];

/**
 * Takes the bodies of calls to webhooks before the application's parsers get them: a signature is over bytes, the limit
 * is not that of the parsers, and any type of content will do. What comes after sees a request without a body.
 */
export class BodyCapture {
  private readonly bodies = new WeakMap<IncomingMessage, CapturedBody>();
  private readonly url: RegExp;

  constructor(
    path: string,
    private readonly mostBytes: number,
  ) {
    // whatever prefix the application puts before it
    this.url = new RegExp(`/${path.replaceAll('.', '\\.')}/[^/?]+/?(\\?|$)`, 'i');
  }

  /** Has to come before the application is initialized. False: of this kind of adapter nothing is known. */
  install(adapter: Adapter): boolean {
    const type = adapter.getType();
    if (type === 'express') {
      adapter.use((request: IncomingMessage, response: ServerResponse, next: Next) => {
        this.take(request, response).then(() => next(), next);
      });
      return true;
    }
    if (type !== 'fastify') return false;
    adapter.getInstance<FastifyLike>().addHook('preParsing', async ({ raw }, reply, payload) => {
      await this.take(raw, reply.raw);
      return payload;
    });
    return true;
  }

  of(request: IncomingMessage): CapturedBody | undefined {
    return this.bodies.get(request);
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST' || !this.url.test(request.url ?? '')) return;
    const contentType = request.headers['content-type'];
    const bytes = await this.read(request);
    const isTooLarge = bytes === 'too large';
    // what is still under way is not read to its end
    if (isTooLarge) response.setHeader('connection', 'close');
    for (const header of BODY_HEADERS) delete request.headers[header];
    this.bodies.set(request, { bytes: bytes instanceof Buffer ? bytes : undefined, isTooLarge, contentType });
  }

  private read(request: IncomingMessage): Promise<Buffer | 'too large' | 'cut off'> {
    if (Number(request.headers['content-length'] ?? 0) > this.mostBytes) {
      request.resume();
      return Promise.resolve('too large');
    }
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let size = 0;
      request.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= this.mostBytes) chunks.push(chunk);
        else {
          chunks.length = 0;
          resolve('too large');
        }
      });
      request.on('end', () => resolve(Buffer.concat(chunks)));
      request.on('error', () => resolve('cut off'));
      request.on('close', () => resolve('cut off'));
    });
  }
}
