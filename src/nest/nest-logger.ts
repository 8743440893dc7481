import { Logger as NestLogger } from '@nestjs/common';
import type { LogFields, Logger } from '../ports/logger.js';

const LONGEST_VALUE = 200;

/** Logs through the logger of the application. Fields become short `key=value` text, which every LoggerService takes. */
export class NestLoggerBridge implements Logger {
  private readonly nest = new NestLogger('Flowcraft');

  debug(message: string, fields?: LogFields): void {
    this.nest.debug(withFields(message, fields));
  }

  log(message: string, fields?: LogFields): void {
    this.nest.log(withFields(message, fields));
  }

  warn(message: string, fields?: LogFields): void {
    this.nest.warn(withFields(message, fields));
  }

  error(message: string, fields?: LogFields): void {
    const { error, ...others } = fields ?? {};
    const text = withFields(message, error === undefined || isToldIn(message, error) ? others : fields);
    const stack = error instanceof Error ? error.stack : undefined;
    if (stack === undefined) this.nest.error(text);
    else this.nest.error(text, stack);
  }
}

function withFields(message: string, fields: LogFields | undefined): string {
  const parts = Object.entries(fields ?? {}).flatMap(([name, value]) => {
    const text = shorten(value);
    return text === undefined ? [] : [`${name}=${text}`];
  });
  return parts.length === 0 ? message : `${message} [${parts.join(' ')}]`;
}

function isToldIn(message: string, error: unknown): boolean {
  return error instanceof Error && message.includes(error.message);
}

/** Objects other than errors are never written out: they could hold payloads. */
function shorten(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (value instanceof Error) return cut(`${value.name}: ${value.message}`);
  if (typeof value === 'string') return cut(value);
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) {
    return value.every((item) => typeof item === 'string') ? cut(value.join(',')) : `(${value.length} items)`;
  }
  return undefined;
}

function cut(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > LONGEST_VALUE ? `${line.slice(0, LONGEST_VALUE)}…` : line;
}
