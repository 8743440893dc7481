import type { IEvaluator } from 'flowcraft';

/** An evaluator that remembers what it threw, so that this can be told from all else that goes wrong at an edge. */
export class WatchedEvaluator implements IEvaluator {
  private readonly thrown = new WeakSet<object>();

  constructor(private readonly inner: IEvaluator) {}

  evaluate(expression: string, context: Record<string, unknown>): unknown {
    try {
      return this.inner.evaluate(expression, context);
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause), { cause });
      this.thrown.add(error);
      throw error;
    }
  }

  hasThrown(error: unknown): boolean {
    return error instanceof Error && this.thrown.has(error);
  }
}
