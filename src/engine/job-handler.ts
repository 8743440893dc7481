import { redrivenAt } from '../core/dead-letter.js';
import { decodeJob, encodeJob, jobTurn, type Job } from '../core/envelope.js';
import {
  BlueprintNotFoundError,
  ErrorCode,
  FlowcraftKafkaError,
  JobFormatTooNewError,
  JobMalformedError,
} from '../core/errors.js';
import { EncryptionKeyUnknownError } from '../core/encryption-errors.js';
import { ForeignContextInvalidError } from '../core/limit-errors.js';
import { delay, type Clock, type Ids } from '../ports/clock.js';
import type { JobHandler, JobQueue, RawMessage } from '../ports/job-queue.js';
import type { Logger } from '../ports/logger.js';
import { NotHere, type Abilities } from './abilities.js';
import { retriesOf, type ActiveRun, type ActiveRuns } from './active-run.js';
import type { EngineOptions } from './engine-options.js';
import type { Intake } from './intake.js';
import type { Persistence } from './persistence.js';
import type { Prober } from './prober.js';
import { TimeLimit } from './time-limit.js';
import { turnsBeside } from './opener.js';
import { WorkerStopping } from './turn-claimer.js';
import { attemptKey, type TurnProcessor } from './turn-processor.js';
import type { UnsentTurns } from './unsent-turns.js';

const FAILURES_UNTIL_DEAD = 5;
const FAILURE_DELAY_MS = 1_000;

export interface HandlerParts {
  readonly queue: JobQueue;
  readonly runs: ActiveRuns;
  readonly abilities: Abilities;
  readonly processor: TurnProcessor;
  readonly prober: Prober;
  readonly unsent: UnsentTurns;
  readonly intake: Intake;
  readonly persistence: Persistence;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly options: EngineOptions;
  readonly stopping: AbortSignal;
}

/** Takes the messages of the topic: routes jobs to the processor, parks what can never be a job. */
export class EngineJobHandler implements JobHandler {
  private readonly holding: TimeLimit;
  /** The messages of each job that are held here. */
  private readonly held = new Map<string, Set<RawMessage>>();

  constructor(private readonly parts: HandlerParts) {
    this.holding = new TimeLimit(parts.clock, parts.options.worker.maxHoldMs);
  }

  /** Messages that are being handled, for people. */
  get size(): number {
    return this.parts.intake.size;
  }

  async admit(): Promise<void> {
    await this.parts.intake.admit();
  }

  async handle(message: RawMessage): Promise<void> {
    this.parts.intake.enter();
    try {
      const job = await this.decode(message);
      // a message that was sent for a turn which went on here may come around when that is done
      if (job && !this.isDone(job)) await this.hold(job, message, this.route(job, message));
    } finally {
      this.parts.intake.leave();
    }
  }

  private isDone({ runId, nodeId, turn, isOpen, pausedUntil, retries }: Job): boolean {
    return (
      turn !== undefined &&
      !isOpen &&
      pausedUntil === undefined &&
      this.parts.processor.isDone(attemptKey(runId, { nodeId, turn }, retries))
    );
  }

  /** Processes a job that did not come from the topic. Resolves when all that it led to here is settled or has a message. */
  async execute(job: Job): Promise<void> {
    const value = Buffer.from(encodeJob(job));
    await this.route(job, { value, key: Buffer.from(job.runId), headers: {}, partition: -1, offset: '-1' });
  }

  private async decode(message: RawMessage): Promise<Job | undefined> {
    try {
      return decodeJob(message.value);
    } catch (error) {
      if (!(error instanceof JobMalformedError) && !(error instanceof JobFormatTooNewError)) throw error;
      await this.park(message, error);
      return undefined;
    }
  }

  private async park(message: RawMessage, error: FlowcraftKafkaError): Promise<void> {
    const { queue, logger } = this.parts;
    logger.error(`Parked a message as a dead letter: ${error.message}`, {
      partition: message.partition,
      offset: message.offset,
      code: error.code,
    });
    await queue.publishDead(message, { code: error.code, message: error.message });
  }

  /**
   * No offset is held for longer than `maxHoldMs`: a job that is not done by then (a node of an hour, a turn that
   * another worker executes) is written again at the tail, where it is adopted by what runs here, or starts over.
   * Of several messages with the same job the last one is: else each that is there twice for any reason would go around for ever.
   */
  private async hold(job: Job, message: RawMessage, work: Promise<void>): Promise<void> {
    const name = nameOf(job);
    const alike = this.held.get(name) ?? new Set();
    this.held.set(name, alike.add(message));
    try {
      if ((await this.holding.race(work)) !== 'done') await this.writeAgain(job, message, work, alike);
    } finally {
      alike.delete(message);
      if (alike.size === 0 && this.held.get(name) === alike) this.held.delete(name);
    }
  }

  private async writeAgain(job: Job, message: RawMessage, work: Promise<void>, alike: Set<RawMessage>): Promise<void> {
    const { queue, logger, stopping } = this.parts;
    work.catch((error: unknown) => {
      if (!stopping.aborted)
        logger.debug('A job that was written again at the tail ended here with an error.', {
          runId: job.runId,
          nodeId: job.nodeId,
          error,
        });
    });
    // else each rebalance would add a message that goes around
    if (message.isDeliveredAgain?.()) return;
    if ([...alike].some((other) => isBehind(other, message))) return;
    await queue.publish(job, message.key?.toString());
  }

  private async route(job: Job, message: RawMessage): Promise<void> {
    for (let failures = 1; ; failures++) {
      try {
        await this.process(job, message);
        return;
      } catch (error) {
        const { stopping, logger, clock, queue } = this.parts;
        if (error instanceof WorkerStopping || stopping.aborted) throw error;
        // another worker may have the key: it is given to all before it is written with, but not at one moment
        if (error instanceof EncryptionKeyUnknownError) return await this.putBack(job, message, error);
        logger.error('A job failed in a way that it should not.', { runId: job.runId, nodeId: job.nodeId, error });
        if (failures >= FAILURES_UNTIL_DEAD) {
          const reason = {
            code: error instanceof FlowcraftKafkaError ? error.code : ErrorCode.Internal,
            message: error instanceof Error ? error.message : String(error),
          };
          await queue.publishDead(message, reason);
          return;
        }
        await delay(clock, FAILURE_DELAY_MS * failures, stopping);
      }
    }
  }

  private async process(job: Job, message: RawMessage): Promise<void> {
    const { processor, prober, abilities, logger } = this.parts;
    let run: ActiveRun | undefined;
    try {
      run = await this.find(job);
    } catch (error) {
      if (error instanceof ForeignContextInvalidError) return this.park(message, error);
      if (!(error instanceof BlueprintNotFoundError)) throw error;
      return this.putBack(job, message, error);
    }
    if (!run) {
      logger.warn('Dropped a job of a run that does not exist.', { runId: job.runId, nodeId: job.nodeId });
      return;
    }
    if (job.probe) {
      await prober.probe(run);
      return;
    }
    // a foreign client also sends jobs for fallback nodes: which nodes start is decided here
    if (job.turn === undefined && !run.plan.startNodeIds.includes(job.nodeId)) return;
    const definition = run.plan.nodes.get(job.nodeId)?.definition;
    const lacks = definition && abilities.lacks(run, definition);
    const name = { nodeId: job.nodeId, turn: job.turn ?? startTurnOf(run, job) };
    if (lacks !== undefined) {
      // what begins beside it need not wait for a worker that can execute this one
      if (turnsBeside(run, name).length > 0) await this.parts.unsent.send(run);
      return this.putBack(job, message, undefined, lacks);
    }
    try {
      await processor.process(run, name, { pausedUntil: job.pausedUntil, isOpen: job.isOpen });
    } catch (error) {
      if (!(error instanceof NotHere)) throw error;
      // that there is no code for it could not be known before the run began: nobody was told, so the run must end
      if (this.isOverdue(this.unroutableSince(job, message)))
        return processor.process(run, name, { pausedUntil: job.pausedUntil, isLastTry: true });
      await this.putBack(job, message, undefined, error.message);
    }
  }

  /** Since when nobody could execute the job: a dead letter that was sent again gets its time anew. */
  private unroutableSince({ unroutableSince = 0 }: Job, { headers }: RawMessage): number {
    return Math.max(unroutableSince, redrivenAt(headers) ?? 0) || this.parts.clock.now();
  }

  private isOverdue(since: number): boolean {
    return this.parts.clock.now() - since > this.parts.options.worker.unroutableGraceMs;
  }

  private async find(job: Job): Promise<ActiveRun | undefined> {
    const { runs, persistence } = this.parts;
    const run = await persistence.until(() => runs.find(job.runId), { runId: job.runId });
    if (run && (job.retries ?? 0) > retriesOf(run.record))
      return persistence.until(() => runs.current(job.runId), { runId: job.runId });
    return run ?? (await persistence.until(() => runs.adopt(job), { runId: job.runId }));
  }

  /** Another worker may know better (deploys roll): back to the topic for a while, then parked. Never fails the run. */
  private async putBack(
    job: Job,
    message: RawMessage,
    cause: BlueprintNotFoundError | EncryptionKeyUnknownError | undefined,
    text = cause?.message ?? '',
  ): Promise<void> {
    const { clock, ids, queue, options, logger, stopping } = this.parts;
    const since = this.unroutableSince(job, message);
    if (this.isOverdue(since)) {
      logger.error(`Parked a job as a dead letter: ${text}`, { runId: job.runId, nodeId: job.nodeId });
      await queue.publishDead(message, { code: cause?.code ?? ErrorCode.NodeImplementationMissing, message: text });
      return;
    }
    if (job.unroutableSince === undefined)
      logger.warn(`Put a job back for another worker: ${text}`, { runId: job.runId, nodeId: job.nodeId });
    await delay(clock, options.worker.unroutableDelayMs, stopping);
    if (stopping.aborted) throw new WorkerStopping('The worker is stopping.');
    // another key, so that it does not come back to this worker only
    await queue.publish({ ...job, unroutableSince: since }, `${job.runId}#${Math.floor(ids.random() * 1e6)}`);
  }
}

/** Jobs with the same name lead to the same. */
function nameOf({ runId, nodeId, turn = '', retries = 0, pausedUntil = 0, probe, isOpen }: Job): string {
  return [runId, nodeId, turn, retries, pausedUntil, probe ?? '', isOpen ?? ''].join('\u001f');
}

/** One further on in the partition, so that its offset is not committed while this one's is not; unless others have it by now. */
function isBehind(other: RawMessage, { partition, offset }: RawMessage): boolean {
  return other.partition === partition && BigInt(other.offset) > BigInt(offset) && !other.isDeliveredAgain?.();
}

/** Foreign jobs name no turn. */
function startTurnOf(run: ActiveRun, job: Job): string {
  const loops = run.plan.nodes.get(job.nodeId)?.loops ?? [];
  return loops.length === 0 ? jobTurn(job) : loops.map(() => '0').join('/');
}
