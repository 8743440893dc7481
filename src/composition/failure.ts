import { ConfigurationError, ConnectError } from '../core/errors.js';

/** One error for all that went wrong at once: wrong options first, which no waiting cures, then servers that are away. */
export function failureOf(errors: readonly unknown[]): unknown {
  const wrong = errors.filter((error) => error instanceof ConfigurationError);
  if (wrong.length > 1)
    return new ConfigurationError(
      distinct(
        wrong.flatMap(({ problems }) => problems),
        (p) => p.path + p.message,
      ),
    );
  if (wrong.length === 1) return wrong[0];
  const away = errors.filter((error) => error instanceof ConnectError);
  const [first] = away;
  if (!first) return errors[0];
  // parts that share a connection all tell of it
  const failures = distinct(
    away.flatMap((error) => error.failures),
    ({ server }) => server,
  );
  return failures.length === 1 ? first : new ConnectError(failures, first.timeoutMs);
}

function distinct<T>(values: readonly T[], keyOf: (value: T) => string): T[] {
  return [...new Map(values.map((value) => [keyOf(value), value])).values()];
}
