import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { NodeContext } from 'flowcraft';
import type { NormalisedText } from './checks/normalise.js';
import { checkLatencyMs } from './settings.js';

/**
 * Where a real application would call a language model. Rules answer instead, after a pause: they cost nothing, need no
 * key, and say the same every time, so that a verdict can be compared with the one of flowcraft's own runtime.
 */
@Injectable()
export class ModelStandIn {
  private readonly latencyMs = checkLatencyMs(process.env);

  async ask<T>({ input, signal }: NodeContext, rule: (text: NormalisedText) => T): Promise<T> {
    // a cancelled run, or a worker that has to go, does not wait for the answer
    await sleep(this.latencyMs, undefined, signal ? { signal } : {});
    return rule(input as NormalisedText);
  }
}
