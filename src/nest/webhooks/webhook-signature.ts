import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { SignatureSettings } from './webhook-settings.js';

const SECONDS = /^\d{1,12}$/;

/**
 * Whether a body was signed by someone who knows a secret, at a time that lies in the window: the header holds the HMAC of
 * `<timestamp>.<body>` in hexadecimal digits or base64, with or without `<algorithm>=` before it.
 * @param now milliseconds since 1970
 */
export function isSigned(
  { secrets, algorithm, header, timestampHeader, toleranceSeconds }: SignatureSettings,
  headers: IncomingHttpHeaders,
  body: Uint8Array,
  now: number,
): boolean {
  const timestamp = headers[timestampHeader.toLowerCase()];
  const signature = headers[header.toLowerCase()];
  if (typeof timestamp !== 'string' || typeof signature !== 'string' || !SECONDS.test(timestamp)) return false;
  if (Math.abs(now / 1000 - Number(timestamp)) > toleranceSeconds) return false;
  const prefix = `${algorithm}=`;
  const given = signature.startsWith(prefix) ? signature.slice(prefix.length) : signature;
  const isOf = (secret: string) => {
    const expected = createHmac(algorithm, secret).update(`${timestamp}.`).update(body).digest();
    const bytes = Buffer.from(given, given.length === expected.length * 2 ? 'hex' : 'base64');
    return bytes.length === expected.length && timingSafeEqual(bytes, expected);
  };
  // all of them, so that the time tells nothing about which one it was
  return secrets.map(isOf).includes(true);
}
