import type { IAsyncContext, PatchOperation } from 'flowcraft';
import { aliasOf, isInternalKey, lookupKeys, overlay, resolve, type Resolved } from '../core/context-view.js';
import { areApart, charactersIn, givenBy, giversOf } from '../core/given-values.js';
import { ContextKeyRefusedError } from '../core/errors.js';
import { assertContextKey } from '../core/identifiers.js';
import type { TurnName, TurnRecord } from '../core/run.js';
import type { ValueCodec } from '../core/value-codec.js';
import type { RunStore, StoredValue } from '../ports/run-store.js';
import type { ActiveRun, ActiveRuns } from './active-run.js';
import type { Persistence } from './persistence.js';

type Change = { value: unknown } | 'deleted';

/** What the engine sets a key of its own to, through whatever flowcraft puts around a context. */
export class EngineValue {
  constructor(readonly value: unknown) {}
}

/** What a context needs to read a run's stored values. */
export interface ContextSources {
  readonly store: RunStore;
  readonly runs: ActiveRuns;
  readonly codec: ValueCodec;
  readonly persistence: Persistence;
}

/**
 * The context of one run as one turn sees it: reads only the keys that are asked for, and keeps what the turn writes to
 * itself until the turn settles.
 */
export class RunContext implements IAsyncContext<Record<string, unknown>> {
  readonly type = 'async';
  /** What this turn changed, in the order of the first change. */
  readonly changes = new Map<string, Change>();
  /** Something was read that a turn has written. */
  hasRead = false;
  private readonly read = new Map<string, string | undefined>();
  private whole: Promise<Map<string, string>> | undefined;

  constructor(
    private readonly run: ActiveRun,
    private readonly sources: ContextSources,
  ) {}

  /** Takes rows that were read for this turn anyway. `keys`: all that were asked for. */
  async prime(keys: readonly string[], rows: readonly StoredValue[]): Promise<void> {
    if (rows.length > 0) this.hasRead = true;
    const resolved = keys.map((key) => resolve(key, rows, this.run.base));
    const texts = resolved.some((r) => r?.ref) ? await this.texts(resolved) : resolved.map((r) => r?.value);
    for (const [i, key] of keys.entries()) this.read.set(key, texts[i]);
  }

  /** Reads several keys at once. */
  async prefetch(keys: readonly string[]): Promise<void> {
    const { store, persistence } = this.sources;
    const { runId, plan } = this.run;
    const wanted = keys.flatMap(lookupKeys);
    const rows = await persistence.until(() => store.values(runId, wanted, giversOf(plan, wanted)));
    await this.prime(keys, rows);
  }

  async get(key: string): Promise<unknown> {
    const change = this.changes.get(key);
    if (change !== undefined) return change === 'deleted' ? undefined : change.value;
    const text = await this.text(key);
    return text === undefined ? undefined : this.sources.codec.decode(text);
  }

  async has(key: string): Promise<boolean> {
    const change = this.changes.get(key);
    if (change !== undefined) return change !== 'deleted';
    return (await this.text(key)) !== undefined;
  }

  async set(key: string, value: unknown): Promise<void> {
    this.put(key, value);
  }

  /** @throws ContextKeyRefusedError */
  put(key: string, value: unknown): void {
    assertContextKey(key, { runId: this.run.runId });
    if (isInternalKey(key)) {
      if (!(value instanceof EngineValue)) throw new ContextKeyRefusedError(key, { runId: this.run.runId });
      this.changes.set(key, { value: value.value });
      return;
    }
    this.changes.set(key, { value });
  }

  async delete(key: string): Promise<boolean> {
    const had = await this.has(key);
    if (had) this.changes.set(key, 'deleted');
    return had;
  }

  async patch(operations: PatchOperation[]): Promise<void> {
    for (const op of operations) {
      if (op.op === 'set') await this.set(op.key, op.value);
      else await this.delete(op.key);
    }
  }

  /**
   * flowcraft has a node's output under two keys; here the node's id is an alias of `_outputs.<id>`. What this turn has
   * set `_outputs.<id>` to is no output of that node, so the id keeps what it holds.
   * @param nodeId whose output is written with this turn, if it has one
   */
  async keepAliases(nodeId: string | undefined): Promise<void> {
    const kept: string[] = [];
    for (const key of this.changes.keys()) {
      const alias = aliasOf(key);
      if (alias !== undefined && alias !== nodeId && !this.changes.has(alias)) kept.push(alias);
    }
    for (const alias of kept) {
      const text = await this.text(alias);
      this.changes.set(alias, text === undefined ? 'deleted' : { value: this.sources.codec.decode(text) });
    }
  }

  /** The whole context. Costs a read of all values of the run, once a turn. */
  async toJSON(): Promise<Record<string, unknown>> {
    const whole = await (this.whole ??= this.readWhole());
    const all = new Map<string, unknown>();
    for (const [key, text] of whole) all.set(key, this.sources.codec.decode(text));
    for (const [key, change] of this.changes) {
      if (change === 'deleted') all.delete(key);
      else if (!isInternalKey(key)) all.set(key, change.value);
    }
    return Object.fromEntries(all);
  }

  /**
   * The texts of all values that are stored. Undefined if they have more characters than `most`: they are then not all read.
   * @param rows those of all turns that the run has had, if they are at hand
   */
  async stored(most: number, rows?: readonly TurnRecord[]): Promise<ReadonlyMap<string, string> | undefined> {
    const { store, persistence } = this.sources;
    const given = rows?.flatMap(givenBy);
    if (!given) return this.readWhole(most);
    const own = await persistence.until(() => store.ownValues(this.run.runId, most));
    if (!own) return undefined;
    if (!areApart(own, given)) return this.readWhole(most);
    const all = [...own, ...given];
    return charactersIn(all) <= most ? this.textsOf(all) : undefined;
  }

  private async text(key: string): Promise<string | undefined> {
    if (!this.read.has(key)) {
      const whole = await this.whole;
      if (whole) return whole.get(key);
      await this.prefetch([key]);
    }
    return this.read.get(key);
  }

  private async readWhole(): Promise<Map<string, string>>;
  private async readWhole(most: number): Promise<Map<string, string> | undefined>;
  private async readWhole(most?: number): Promise<Map<string, string> | undefined> {
    const { store, persistence } = this.sources;
    const { runId, plan } = this.run;
    const isGiven = plan.givers.size > 0;
    const rows = await persistence.until(() => (isGiven ? store.allValues(runId, most) : store.ownValues(runId, most)));
    if (!rows) return undefined;
    if (rows.length > 0) this.hasRead = true;
    return this.textsOf(rows);
  }

  private async textsOf(rows: readonly StoredValue[]): Promise<Map<string, string>> {
    const resolved = overlay(rows, this.run.base);
    const texts = await this.texts([...resolved.values()]);
    const all = new Map<string, string>();
    for (const [i, key] of [...resolved.keys()].entries()) {
      const text = texts[i];
      if (text !== undefined) all.set(key, text);
    }
    return all;
  }

  /** The text of each resolved value; references are looked up, from memory if the output was made or read here. */
  private async texts(resolved: readonly (Resolved | undefined)[]): Promise<(string | undefined)[]> {
    const { store, runs, persistence } = this.sources;
    const { runId } = this.run;
    const outputs = new Map<string, string>();
    const missing = new Map<string, TurnName>();
    for (const r of resolved) {
      if (!r?.ref) continue;
      const key = outputKey(this.run, r.ref);
      const known = runs.outputs.get(key);
      if (known === undefined) missing.set(key, r.ref);
      else outputs.set(key, known);
    }
    if (missing.size > 0) {
      const found = await persistence.until(() => store.outputs(runId, [...missing.values()]));
      for (const { output, ...name } of found) {
        outputs.set(outputKey(this.run, name), output);
        runs.outputs.set(outputKey(this.run, name), output);
      }
    }
    return resolved.map((r) => (r?.ref ? outputs.get(outputKey(this.run, r.ref)) : r?.value));
  }
}

/** How this process names the output of a turn in its memory: a retry of the run may give the turn another. */
export function outputKey({ runId, record }: ActiveRun, { nodeId, turn }: TurnName): string {
  return `${runId}\u001f${nodeId}\u001f${turn}\u001f${record.retries ?? 0}`;
}
