import type { WebhookAlgorithm } from './webhook-settings.js';

/** Calls from outside at which waiting nodes go on. */
export interface WebhookOptions {
  /**
   * What the outside world calls this application by: scheme and host, and what stands before `path`, as
   * `https://api.example.com`. A global prefix of the application belongs to it. Without it no URLs can be made here.
   */
  baseUrl?: string;
  /**
   * Where the endpoint is mounted, without slashes at its ends.
   * @default 'flowcraft/webhooks'
   */
  path?: string;
  /**
   * Whether this process has the endpoint, if it has HTTP. False: receive calls with FlowcraftWebhooks.
   * @default true
   */
  mount?: boolean;
  /**
   * How long a URL is valid, in seconds.
   * @default 604800 (a week)
   */
  ttlSeconds?: number;
  /**
   * Bytes of a body; a larger one is answered with 413.
   * @default 262144
   */
  maxBodyBytes?: number;
  /**
   * Calls must be signed.
   * @default whoever knows a URL may call it
   */
  hmac?: WebhookSignatureOptions;
}

/** An HMAC over `<timestamp>.<body>`. */
export interface WebhookSignatureOptions {
  /** What the callers sign with; several while it is being changed. At least 16 characters. */
  secret: string | string[];
  /** @default 'sha256' */
  algorithm?: WebhookAlgorithm;
  /**
   * The header with the signature: hexadecimal digits or base64, with or without `<algorithm>=` before it.
   * @default 'x-flowcraft-signature'
   */
  header?: string;
  /**
   * The header with the time of the signature: seconds since 1970.
   * @default 'x-flowcraft-timestamp'
   */
  timestampHeader?: string;
  /**
   * How far that time may be from now, in seconds.
   * @default 300
   */
  toleranceSeconds?: number;
}
