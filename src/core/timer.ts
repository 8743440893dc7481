/**
 * A moment at which somebody looks at a run: at a turn that waits (`turn`), at its delayed start (`start`), or at whether
 * it has ended in time (`deadline`). What happens then is decided by the journal and the record of the run alone, so a
 * timer that fires twice, or for something that is over, changes nothing.
 */
export interface Timer {
  /** Milliseconds since 1970. */
  readonly due: number;
  readonly runId: string;
  readonly kind: 'turn' | 'start' | 'deadline';
  /** The turn; empty unless the kind is `turn`. */
  readonly nodeId: string;
  readonly turn: string;
}

/** Equal for equal timers. */
export function timerKey({ due, runId, kind, nodeId, turn }: Timer): string {
  return JSON.stringify([due, kind, runId, nodeId, turn]);
}

/** The timer of a key; undefined if the text is none. */
export function timerOfKey(text: string): Timer | undefined {
  const [due, kind, runId, nodeId, turn] = JSON.parse(text) as [number, Timer['kind'], string, string, string];
  return typeof due === 'number' && typeof turn === 'string' ? { due, runId, kind, nodeId, turn } : undefined;
}

export function turnTimer(runId: string, name: { nodeId: string; turn: string }, due: number): Timer {
  return { due: Math.ceil(due), runId, kind: 'turn', nodeId: name.nodeId, turn: name.turn };
}

export function runTimer(runId: string, kind: 'start' | 'deadline', due: number): Timer {
  return { due: Math.ceil(due), runId, kind, nodeId: '', turn: '' };
}
