import { randomUUID } from 'node:crypto';
import { decodeJob, type Job } from '../../src/core/envelope.js';
import type { DeadLetterReason, JobConsumer, JobHandler, JobQueue, RawMessage } from '../../src/ports/job-queue.js';

/** What a job queue's author gives to the contract. */
export interface JobQueueBench {
  /** A queue as another process of the fleet would have it: connected and provisioned, same topic, same group. */
  queue(): Promise<JobQueue>;
  /** Sends what no JobQueue would: a foreign client's message. */
  send(key: string, value: Buffer | null): Promise<void>;
  /** The dead letters so far: at least `count` of them, waiting for them if need be. */
  deadLetters(count: number): Promise<{ message: Pick<RawMessage, 'key' | 'value'>; reason: DeadLetterReason }[]>;
  /** Closes every queue that is still open, and removes topic and group. */
  close(): Promise<void>;
}

export type OpenJobQueue = () => Promise<JobQueueBench>;

export function jobOf(runId: string, nodeId: string): Job {
  return { runId, blueprintId: 'diamond', nodeId, turn: '1' };
}

export function newRunId(): string {
  return `run-${randomUUID()}`;
}

/** A handler whose every step is in the test's hands. */
export class TestHandler implements JobHandler {
  readonly seen: RawMessage[] = [];
  private readonly names = new Set<string>();
  private readonly done = new Set<string>();
  private readonly open = new Map<string, { resolve: () => void; reject: (error: Error) => void }[]>();
  private readonly watchers = new Set<() => void>();
  private admitting = 0;
  private room = Number.POSITIVE_INFINITY;
  private readonly waiting: (() => void)[] = [];

  /** @param holds whether a message stays unfinished until `finish`; by the name of its node */
  constructor(private readonly holds: (node: string) => boolean = () => false) {}

  async admit(): Promise<void> {
    this.admitting++;
    this.changed();
    if (this.room <= 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  async handle(message: RawMessage): Promise<void> {
    this.seen.push(message);
    this.room--;
    const node = nodeOf(message);
    this.names.add(node);
    const finished = this.holds(node)
      ? new Promise<void>((resolve, reject) =>
          this.open.set(node, [...(this.open.get(node) ?? []), { resolve, reject }]),
        )
      : Promise.resolve();
    this.changed();
    await finished;
    // Not before the queue has heard of it: that is when a message counts as done.
    setImmediate(() => {
      this.done.add(node);
      this.changed();
    });
  }

  /** Only so many messages from now on. */
  limit(room: number): void {
    this.room = room;
    if (room > 0) for (const wake of this.waiting.splice(0)) wake();
  }

  get admissions(): number {
    return this.admitting;
  }

  finish(node: string): void {
    for (const { resolve } of this.open.get(node) ?? []) resolve();
    this.open.delete(node);
  }

  fail(node: string): void {
    for (const { reject } of this.open.get(node) ?? []) reject(new Error('the worker stops'));
    this.open.delete(node);
  }

  /** Names of the nodes in the order of their first delivery. */
  get nodes(): string[] {
    return [...this.names];
  }

  /** Resolves when the handler has come to the state that is asked for. */
  async until(reached: (handler: this) => boolean): Promise<void> {
    while (!reached(this)) {
      await new Promise<void>((resolve) => {
        const look = () => {
          this.watchers.delete(look);
          resolve();
        };
        this.watchers.add(look);
      });
    }
  }

  hasSeen(...nodes: string[]): Promise<void> {
    return this.until(() => nodes.every((node) => this.names.has(node)));
  }

  hasDone(...nodes: string[]): Promise<void> {
    return this.until(() => nodes.every((node) => this.done.has(node)));
  }

  private changed(): void {
    for (const look of [...this.watchers]) look();
  }
}

export function nodeOf(message: RawMessage): string {
  return decodeJob(message.value).nodeId;
}

export interface Worker {
  readonly queue: JobQueue;
  readonly consumer: JobConsumer;
  readonly handler: TestHandler;
}

export async function startWorker(bench: JobQueueBench, holds?: (node: string) => boolean): Promise<Worker> {
  const queue = await bench.queue();
  const handler = new TestHandler(holds);
  return { queue, handler, consumer: await queue.consume(handler) };
}
