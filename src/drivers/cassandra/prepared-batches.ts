import type { Statement } from './cassandra-session.js';

/** Longer ones differ too much in length for each to be prepared. */
const MOST_STATEMENTS = 4;

interface Step {
  readonly query: string;
  readonly after: Map<string, Step>;
}

/**
 * Several statements as one that is prepared as a whole: a batch of statements that are each prepared costs the driver and
 * the server a third more. There are as many texts as there are sequences of statements in this package.
 */
export class PreparedBatches {
  private readonly first = new Map<string, Step>();

  /** A single one as it is. Undefined: so many are not prepared as one. */
  of(statements: readonly Statement[]): Statement | undefined {
    if (statements.length < 2) return statements[0];
    if (statements.length > MOST_STATEMENTS) return undefined;
    const params: unknown[] = [];
    let last: Step | undefined;
    for (const statement of statements) {
      last = stepAfter(last, last?.after ?? this.first, statement.query);
      params.push(...statement.params);
    }
    return last && { query: last.query, params };
  }
}

function stepAfter(before: Step | undefined, steps: Map<string, Step>, query: string): Step {
  const known = steps.get(query);
  if (known) return known;
  const inner = before ? `${before.query.slice(0, -END.length)}${query}; ` : `${BEGIN}${query}; `;
  const step = { query: inner + END, after: new Map<string, Step>() };
  steps.set(query, step);
  return step;
}

const BEGIN = 'BEGIN BATCH ';
const END = 'APPLY BATCH';
