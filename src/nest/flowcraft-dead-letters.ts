import type { DeadLetterFilter, DeadLetterListOptions, DeadLetterPage, RedriveResult } from '../engine/dead-letters.js';
import type { EngineHost } from './engine-host.js';

/** Dead letters of the fleet: what lies on `<topicName>.dead`. */
export class FlowcraftDeadLetters {
  constructor(private readonly host: EngineHost) {}

  /**
   * Dead letters, the oldest first, in pages: pass the `cursor` of an answer to read on. Reading joins a consumer group
   * of its own for the moment, commits nothing, and may take a few seconds. With a filter a page may be short, or even
   * empty, although there is a `cursor`.
   * @throws ArgumentInvalidError
   * @throws UnavailableError, CallTimeoutError
   */
  async list(options: DeadLetterListOptions = {}): Promise<DeadLetterPage> {
    return (await this.host.ready()).client.deadLetters.list(options);
  }

  /**
   * Sends dead letters to the jobs again, with their original key and bytes and the headers `x-redriven-from` and
   * `x-redriven-at`. One by its id, several by theirs, or all that a filter finds, at most `limit` (1000) of them. What
   * was sent again before, or is being sent by another call, is passed over.
   * @throws ArgumentInvalidError also for an empty filter
   * @throws UnavailableError, CallTimeoutError; what was sent by then is marked, so it is safe to repeat
   */
  async redrive(which: string | readonly string[] | DeadLetterFilter): Promise<RedriveResult> {
    return (await this.host.ready()).client.deadLetters.redrive(which);
  }
}
