import { z } from 'zod';

const baseUrl = z
  .string()
  .refine(isPublicAddress, "must be the public address of the application, as 'https://api.example.com'");
const headerName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, "must be the name of a header, as 'x-signature'");
const secret = z.string().min(16, 'must have at least 16 characters');
/** What the options of webhooks must be. No message tells a secret. */
export const webhookOptions = z.strictObject({
  baseUrl: baseUrl.optional(),
  path: z
    .string()
    .regex(/^[\w.~-]+(\/[\w.~-]+)*$/, "must be a path without slashes at its ends, as 'flowcraft/webhooks'")
    .optional(),
  mount: z.boolean().optional(),
  ttlSeconds: z
    .number()
    .int()
    .min(1)
    .max(10 * 365 * 86_400)
    .optional(),
  maxBodyBytes: z.number().int().min(1).optional(),
  hmac: z
    .strictObject({
      secret: z.union([secret, z.array(secret).min(1)], 'must be a text of at least 16 characters, or a list of them'),
      algorithm: z.enum(['sha256', 'sha384', 'sha512']).optional(),
      header: headerName.optional(),
      timestampHeader: headerName.optional(),
      toleranceSeconds: z.number().int().min(1).max(86_400).optional(),
    })
    .optional(),
});

function isPublicAddress(given: string): boolean {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  return (
    url !== undefined && /^https?:$/.test(url.protocol) && !url.search && !url.hash && !url.username && !url.password
  );
}
