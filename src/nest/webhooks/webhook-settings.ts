/** Algorithms of signatures, as Node.js names them. */
export type WebhookAlgorithm = 'sha256' | 'sha384' | 'sha512';

/** How calls to webhooks are received here, with every default filled in. */
export interface WebhookReceiving {
  /** Whether this process has the endpoint. */
  readonly mount: boolean;
  readonly path: string;
  readonly maxBodyBytes: number;
  /** Absent: whoever knows a URL may call it. */
  readonly hmac?: SignatureSettings;
}

export interface SignatureSettings {
  /** Any of them may have signed. */
  readonly secrets: readonly string[];
  readonly algorithm: WebhookAlgorithm;
  readonly header: string;
  readonly timestampHeader: string;
  readonly toleranceSeconds: number;
}
