import { PropertyEvaluator, UnsafeEvaluator, type IEvaluator } from 'flowcraft';
import type { Logger } from '../ports/logger.js';

const PATH = /^[a-zA-Z0-9_$.]+$/;
/** Of one process; expressions come from blueprints, which are few. */
const MOST_TOLD = 1_000;

/**
 * flowcraft's PropertyEvaluator with the doors closed that lead out of the data: a path goes through own properties and
 * the getters of classes, never to an inherited method (`result.constructor.constructor` is the Function of JavaScript)
 * nor to a prototype. What it answers for a path through data is the same.
 */
export class OwnPropertyEvaluator implements IEvaluator {
  private readonly told = new Set<string>();

  constructor(private readonly logger: Logger) {}

  evaluate(expression: string, context: Record<string, unknown>): unknown {
    if (!PATH.test(expression)) {
      this.refuse(expression);
      return undefined;
    }
    const [start = '', ...rest] = expression.split('.');
    let current: unknown = Object.hasOwn(context, start) ? context[start] : undefined;
    try {
      for (const name of rest) {
        if (current === null || current === undefined) return undefined;
        current = propertyOf(current, name);
      }
    } catch {
      return undefined; // a getter of the user's that throws, as in flowcraft
    }
    return current;
  }

  private refuse(expression: string): void {
    if (this.told.has(expression) || this.told.size >= MOST_TOLD) return;
    this.told.add(expression);
    this.logger.warn(
      `The expression '${expression.slice(0, 200)}' of an edge is no path of properties, so it counts as undefined. Write a path, as result.output.ok, or give runtime.evaluator one that understands it.`,
    );
  }
}

/** The evaluator that edges use, given the one that the user passed. */
export function evaluatorFor(given: IEvaluator | undefined, logger: Logger): IEvaluator {
  if (given === undefined || given.constructor === PropertyEvaluator) return new OwnPropertyEvaluator(logger);
  if (given instanceof UnsafeEvaluator) {
    logger.warn(
      "runtime.evaluator is flowcraft's UnsafeEvaluator: conditions and transforms of blueprints are executed as JavaScript, with all rights of this process. Use it only if nobody but you writes blueprints.",
    );
  }
  return given;
}

function propertyOf(value: unknown, name: string): unknown {
  const holder = Object(value) as Record<string, unknown>;
  if (Object.hasOwn(holder, name)) return holder[name];
  if (name === '__proto__') return undefined;
  const inherited = holder[name];
  return typeof inherited === 'function' ? undefined : inherited;
}
