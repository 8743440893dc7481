import type { Answer } from '../../src/engine/resumer.js';

/** How soon others take a worker for dead. Milliseconds. */
export interface Timing {
  readonly worker: { readonly leaseMs: number; readonly livenessMs: number; readonly maxHoldMs: number };
  readonly consumer: {
    readonly sessionTimeout: number;
    readonly heartbeatInterval: number;
    readonly rebalanceTimeout: number;
  };
}

/** What a worker process is told in its environment, as JSON. */
export interface WorkerSetup {
  /** `w1.3`: the third process in the place of worker 1. */
  readonly name: string;
  readonly directory: string;
  readonly seed: number;
  readonly topic: string;
  readonly keyspace: string;
  readonly prefix: string;
  /** Where Kafka believes to be, and the proxies through which this process reaches the servers. */
  readonly broker: string;
  readonly ports: { readonly kafka: number; readonly cassandra: number; readonly redis: number };
  readonly stalledThresholdSeconds: number;
  /** Other than the defaults. */
  readonly timing?: Timing;
  /** No node takes exceptionally long: for measurements. */
  readonly isSteady?: boolean;
  /** False: a client only. */
  readonly takesJobs: boolean;
}

/** From the harness to a worker. */
export type Order =
  | { readonly kind: 'crash'; readonly point: string; readonly times: number }
  | { readonly kind: 'health'; readonly id: number }
  | {
      readonly kind: 'start';
      readonly id: number;
      readonly runId: string;
      readonly blueprintId: string;
      readonly context: Record<string, unknown>;
    }
  | {
      readonly kind: 'resume';
      readonly id: number;
      readonly runId: string;
      readonly nodeId: string;
      readonly answer: Answer;
    };

/** From a worker to the harness. */
export type Report =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'done';
      readonly id: number;
      readonly result?: unknown;
      readonly error?: { code: string; message: string };
    };
