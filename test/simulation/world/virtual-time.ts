interface Event {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/** A moment that a simulation begins at: milliseconds since 1970. */
const BEGINNING = 1_700_000_000_000;

/** Time that stands still until the next event is taken. Events of one moment run in the order in which they were planned. */
export class VirtualTime {
  /** Milliseconds, with fractions. */
  now = BEGINNING;
  private readonly heap: Event[] = [];
  private planned = 0;

  /** Milliseconds since the beginning. */
  get elapsed(): number {
    return this.now - BEGINNING;
  }

  /** Plans `run` in `ms`; the returned function cancels it. */
  after(ms: number, run: () => void): () => void {
    const event: Event = { at: this.now + Math.max(0, ms), order: this.planned++, run };
    this.push(event);
    return () => {
      event.run = undefined;
    };
  }

  /** Moves to the next event that is planned before `end` and answers it; to `end` if there is none. */
  take(end: number): (() => void) | undefined {
    for (;;) {
      const [next] = this.heap;
      if (!next || next.at > end) {
        this.now = Math.max(this.now, end);
        return undefined;
      }
      this.pop();
      if (!next.run) continue;
      this.now = next.at;
      return next.run;
    }
  }

  private push(event: Event): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Event;
      if (!isBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++;
      const below = heap[child] as Event;
      if (!isBefore(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
