import type { LogFields, Logger } from '../../src/ports/logger.js';

export interface LogLine {
  readonly level: 'debug' | 'log' | 'warn' | 'error';
  readonly message: string;
  readonly fields?: LogFields;
}

/** Keeps what was logged, so that a test can look at it and the output stays clean. */
export class RecordingLogger implements Logger {
  readonly lines: LogLine[] = [];

  debug(message: string, fields?: LogFields): void {
    this.add('debug', message, fields);
  }

  log(message: string, fields?: LogFields): void {
    this.add('log', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.add('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.add('error', message, fields);
  }

  private add(level: LogLine['level'], message: string, fields?: LogFields): void {
    this.lines.push({ level, message, ...(fields === undefined ? {} : { fields }) });
  }
}
