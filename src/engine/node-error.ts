import { FlowcraftError } from 'flowcraft';
import { FlowcraftKafkaError } from '../core/errors.js';
import type { ErrorRecord } from '../core/run.js';

/** Errors are stored with the run and read by people: a page of text is enough. */
const MOST_MESSAGE_CHARACTERS = 65_536;
const MOST_NAME_CHARACTERS = 1_000;

/** What is kept of what a node threw, whatever that was. */
export function errorRecord(error: unknown): ErrorRecord {
  return { message: messageOf(error), isFatal: error instanceof FlowcraftError && error.isFatal, cause: rootOf(error) };
}

/** An error that takes the place of another, and keeps what the node threw. */
export function errorWithCause(message: string, { cause }: ErrorRecord): ErrorRecord {
  return { message, isFatal: false, ...(cause ? { cause } : {}) };
}

function messageOf(error: unknown): string {
  const message = property(error, 'message');
  if (message !== undefined || error instanceof Error) return cut(textOf(message), MOST_MESSAGE_CHARACTERS);
  return cut(textOf(error), MOST_MESSAGE_CHARACTERS);
}

/** The node's own error: at the bottom of the causes. flowcraft lists errors as plain objects that hold the original. */
function rootOf(error: unknown): { name: string; message: string } {
  let at = error;
  for (let depth = 0; depth < 20 && !(at instanceof FlowcraftKafkaError); depth++) {
    const next = property(at, 'cause') ?? property(at, 'originalError');
    if (next === undefined || next === null || next === at) break;
    at = next;
  }
  const name = at instanceof Error ? textOf(property(at, 'name')) : typeof at;
  return { name: cut(name, MOST_NAME_CHARACTERS), message: messageOf(at) };
}

/** Undefined also for a property that can't be read. */
function property(of: unknown, name: string): unknown {
  try {
    return (of as Record<string, unknown> | null | undefined)?.[name];
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return `an error of type ${typeof value} that has no text`;
  }
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}... (${text.length} characters)`;
}
