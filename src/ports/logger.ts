/** Where the engine tells what happens. Values of the context never appear in `fields`. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  log(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface LogFields {
  readonly runId?: string;
  readonly nodeId?: string;
  readonly turn?: string;
  readonly error?: unknown;
  readonly [name: string]: unknown;
}
