import type { EdgeDefinition, NodeDefinition, WorkflowBlueprint } from 'flowcraft';
import type { Random } from '../simulation/world/random.js';

type Options = Partial<Omit<NodeDefinition, 'id' | 'uses'>>;

/** One way into a part of a graph and one way out of it. */
export interface Part {
  readonly first: string;
  readonly last: string;
}

const BUILT_IN = new Set(['wait', 'sleep', 'subflow', 'batch-scatter', 'batch-gather', 'loop-controller']);

/** A blueprint in the making. */
export class Sketch {
  readonly nodes: NodeDefinition[] = [];
  readonly edges: EdgeDefinition[] = [];

  constructor(
    readonly id: string,
    readonly random: Random,
    /** How many nodes it may still get. */
    public left: number,
    private readonly serial: { next: number },
  ) {}

  name(prefix: string): string {
    return `${prefix}${this.serial.next++}`;
  }

  /** Adds a node. It knows its own id by `params.node`. */
  node(prefix: string, uses: string, { params, ...options }: Options = {}): string {
    return this.named(this.name(prefix), uses, { params, ...options });
  }

  named(id: string, uses: string, { params, ...options }: Options = {}): string {
    this.nodes.push({ id, uses, params: BUILT_IN.has(uses) ? (params ?? {}) : { node: id, ...params }, ...options });
    this.left--;
    return id;
  }

  edge(source: string, target: string, options: Partial<EdgeDefinition> = {}): void {
    this.edges.push({ source, target, ...options });
  }

  /** Between `low` and `high`, both included. */
  between(low: number, high: number): number {
    return low + this.random.int(high - low + 1);
  }

  blueprint(): WorkflowBlueprint {
    return { id: this.id, nodes: this.nodes, edges: this.edges };
  }
}

const TRANSFORMS = ['input', '[input]', '({ t: input })', 'input + 1', '({ t: input, base: context.base })'];

export function someTransform(random: Random, probability: number): Partial<EdgeDefinition> {
  return random.chance(probability) ? { transform: random.pick(TRANSFORMS) } : {};
}
