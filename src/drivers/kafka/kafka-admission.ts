import type { Clock } from '../../ports/clock.js';
import type { JobHandler } from '../../ports/job-queue.js';
import type { Logger } from '../../ports/logger.js';

const ASK_AGAIN_MS = 1000;

/**
 * Asks the handler for room, for one message at a time although partitions are read concurrently: the answer then
 * counts for exactly the message that is handed over next. An answer that comes when nobody waits any more is kept for
 * the next one, so that a handler which reserves the room has it used.
 */
export class KafkaAdmission {
  private readonly waiting: ((admitted: boolean) => void)[] = [];
  /** idle: nobody has asked. asking: the handler has not answered. granted: a waiting one is about to use the answer. spare: an answer is left. */
  private state: 'idle' | 'asking' | 'granted' | 'spare' = 'idle';

  constructor(
    private readonly handler: Pick<JobHandler, 'admit'>,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /** Answers true when there is room; `used` or `unused` must follow. Answers false when it was dismissed first. */
  enter(): Promise<boolean> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.advance();
    });
  }

  /** The message was handed over. */
  used(): void {
    this.state = 'idle';
    this.advance();
  }

  /** No message was handed over. */
  unused(): void {
    this.state = 'spare';
    this.advance();
  }

  /** All that wait now give up. */
  dismiss(): void {
    for (const resolve of this.waiting.splice(0)) resolve(false);
  }

  private advance(): void {
    if (this.waiting.length === 0 || this.state === 'asking' || this.state === 'granted') return;
    if (this.state === 'spare') this.grant();
    else void this.ask();
  }

  private async ask(): Promise<void> {
    this.state = 'asking';
    try {
      await this.handler.admit();
      this.grant();
    } catch (error) {
      this.logger.warn('The job handler failed to say when it has room; it is asked again', { error });
      this.clock.after(ASK_AGAIN_MS, () => {
        this.state = 'idle';
        this.advance();
      });
    }
  }

  private grant(): void {
    const next = this.waiting.shift();
    this.state = next ? 'granted' : 'spare';
    next?.(true);
  }
}
