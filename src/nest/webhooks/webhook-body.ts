import { BadRequestException, UnsupportedMediaTypeException } from '@nestjs/common';

/**
 * What a body becomes as the output of a node: JSON its value, a form an object of its fields (several of one name: a
 * list), anything else its text. An empty body is no output.
 * @throws BadRequestException if JSON or UTF-8 is broken
 * @throws UnsupportedMediaTypeException for a compressed body, or another character set
 */
export function decodeBody(body: Uint8Array, contentType = '', contentEncoding = 'identity'): unknown {
  const [type = '', ...parameters] = contentType.toLowerCase().split(';');
  const charset = parameters.map((parameter) => /^\s*charset="?([^"\s]+)/.exec(parameter)?.[1]).find(Boolean);
  if (contentEncoding.toLowerCase() !== 'identity' || !['utf-8', 'utf8', 'us-ascii'].includes(charset ?? 'utf-8'))
    throw new UnsupportedMediaTypeException();
  if (body.length === 0) return undefined;
  const text = textOf(body);
  const name = type.trim();
  if (name === 'application/json' || name.endsWith('+json')) return jsonOf(text);
  if (name === 'application/x-www-form-urlencoded') return fieldsOf(text);
  return text;
}

function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new BadRequestException('The body is no UTF-8.');
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BadRequestException('The body is no JSON.'); // the error of the parser quotes it
  }
}

function fieldsOf(text: string): Record<string, string | string[]> {
  const fields = new Map<string, string[]>();
  for (const [name, value] of new URLSearchParams(text)) fields.set(name, [...(fields.get(name) ?? []), value]);
  return Object.fromEntries(
    [...fields].map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]),
  );
}
