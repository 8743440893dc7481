/** A failure that the reader can act on: its message says what to do next, so no stack trace is printed. */
export class StackError extends Error {
  name = 'StackError';
}
