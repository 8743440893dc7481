import type { WorkflowBlueprint } from 'flowcraft';
import type { RetryRecord } from '../../core/retry.js';
import type { EndStatus, RunRecord, TurnName, TurnRecord } from '../../core/run.js';
import {
  openCall,
  openOutput,
  openRun,
  openStatus,
  openTurn,
  openValue,
  sealCall,
  sealEndReason,
  sealRetry,
  sealRun,
  sealStatus,
  sealTurn,
  sealValue,
} from '../../core/sealed-records.js';
import { reading, type ValueCipher } from '../../core/value-cipher.js';
import type { WebhookCall, WebhookRecord } from '../../core/webhook.js';
import type {
  EndAnswer,
  ForeignRun,
  RedriveMark,
  RunFilter,
  RunStore,
  StatusRow,
  StatusWrite,
  StoredValue,
  StoredWebhook,
  TurnWrite,
  ValueWrite,
} from '../../ports/run-store.js';

/**
 * A run store that encrypts what it hands on to another one, whichever that is. Rows of foreign clients and blueprints
 * stay as they are.
 */
export class SealedRunStore implements RunStore {
  constructor(
    private readonly inner: RunStore,
    private readonly cipher: ValueCipher,
  ) {}

  async connect(): Promise<void> {
    await this.cipher.ready();
    await this.inner.connect();
  }

  provision(): Promise<void> {
    return this.inner.provision();
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  async accept(run: RunRecord): Promise<{ accepted: boolean; run: RunRecord }> {
    const { accepted, run: stored } = await this.inner.accept(sealRun(this.cipher, run));
    return { accepted, run: accepted ? run : await this.openRun(stored) };
  }

  async create(run: RunRecord, first: StatusWrite): Promise<void> {
    await this.inner.create(sealRun(this.cipher, run), sealStatus(this.cipher, run.runId, first));
  }

  async run(runId: string): Promise<RunRecord | undefined> {
    const stored = await this.inner.run(runId);
    return stored && this.openRun(stored);
  }

  async end(
    runId: string,
    status: EndStatus,
    reason: string | undefined,
    at: number,
    retries?: number,
  ): Promise<EndAnswer> {
    const answer = await this.inner.end(runId, status, sealEndReason(this.cipher, runId, reason), at, retries);
    return answer.ended ? answer : { ended: false, run: answer.run && (await this.openRun(answer.run)) };
  }

  async reopen(
    runId: string,
    retries: number,
    retry: RetryRecord,
  ): Promise<{ reopened: boolean; run: RunRecord | undefined }> {
    const { reopened, run } = await this.inner.reopen(runId, retries, sealRetry(this.cipher, runId, retry));
    return { reopened, run: run && (await this.openRun(run)) };
  }

  list(filter: RunFilter): Promise<{ runIds: string[]; cursor?: string }> {
    return this.inner.list(filter);
  }

  async turn(runId: string, nodeId: string, turn: string): Promise<TurnRecord | undefined> {
    const record = await this.inner.turn(runId, nodeId, turn);
    return record && this.read(() => openTurn(this.cipher, runId, record));
  }

  async turns(runId: string, outputs?: boolean): Promise<TurnRecord[]> {
    const records = await this.inner.turns(runId, outputs);
    return this.read(() => records.map((record) => openTurn(this.cipher, runId, record)));
  }

  write(write: TurnWrite): Promise<void> {
    return this.cipher.isOn ? this.writeSealed(write) : this.inner.write(write);
  }

  private async writeSealed(write: TurnWrite): Promise<void> {
    const { cipher } = this;
    const { runId, record, values, ahead, ...others } = write;
    const sealed = (list: readonly ValueWrite[]) => list.map((value) => sealValue(cipher, runId, value));
    await this.inner.write({
      // nothing may pass that is not encrypted here
      ...(others satisfies Record<string, never>),
      runId,
      record: sealTurn(cipher, runId, record),
      values: sealed(values),
      ...(ahead ? { ahead: sealed(ahead) } : {}),
    });
  }

  async writeValues(runId: string, values: readonly ValueWrite[], stamp: number): Promise<void> {
    const sealed = values.map((value) => sealValue(this.cipher, runId, value));
    await this.inner.writeValues(runId, sealed, stamp);
  }

  async values(runId: string, keys: readonly string[], givers: readonly string[]): Promise<StoredValue[]> {
    return this.openValues(runId, await this.inner.values(runId, keys, givers));
  }

  async allValues(runId: string): Promise<StoredValue[]>;
  async allValues(runId: string, most: number | undefined): Promise<StoredValue[] | undefined>;
  async allValues(runId: string, most?: number): Promise<StoredValue[] | undefined> {
    const values = await this.inner.allValues(runId, most);
    return values && this.openValues(runId, values);
  }

  async ownValues(runId: string): Promise<StoredValue[]>;
  async ownValues(runId: string, most: number | undefined): Promise<StoredValue[] | undefined>;
  async ownValues(runId: string, most?: number): Promise<StoredValue[] | undefined> {
    const values = await this.inner.ownValues(runId, most);
    return values && this.openValues(runId, values);
  }

  async outputs(runId: string, turns: readonly TurnName[]): Promise<(TurnName & { output: string })[]> {
    const found = await this.inner.outputs(runId, turns);
    return this.read(() => found.map((turn) => ({ ...turn, output: openOutput(this.cipher, runId, turn) })));
  }

  async writeStatus(write: StatusWrite): Promise<void> {
    await this.inner.writeStatus(sealStatus(this.cipher, write.runId, write));
  }

  async status(runId: string): Promise<StatusRow | undefined> {
    const row = await this.inner.status(runId);
    return row && this.read(() => openStatus(this.cipher, runId, row));
  }

  touchStatus(runId: string, stamp: number, at: number): Promise<void> {
    return this.inner.touchStatus(runId, stamp, at);
  }

  foreign(runId: string): Promise<ForeignRun | undefined> {
    return this.inner.foreign(runId);
  }

  markRedriven(topic: string, marks: readonly RedriveMark[]): Promise<void> {
    return this.inner.markRedriven(topic, marks);
  }

  redriven(topic: string, partition: number, from: bigint, to: bigint): Promise<RedriveMark[]> {
    return this.inner.redriven(topic, partition, from, to);
  }

  addWebhook(hook: WebhookRecord): Promise<void> {
    return this.inner.addWebhook(hook);
  }

  webhook(hash: string): Promise<StoredWebhook | undefined> {
    return this.inner.webhook(hash);
  }

  useWebhook(hook: WebhookRecord): Promise<void> {
    return this.inner.useWebhook(hook);
  }

  keepCall(call: WebhookCall): Promise<boolean> {
    return this.inner.keepCall(sealCall(this.cipher, call));
  }

  async keptCall(runId: string, turn: TurnName): Promise<WebhookCall | undefined> {
    const call = await this.inner.keptCall(runId, turn);
    return call && this.read(() => openCall(this.cipher, call));
  }

  dropCall(call: WebhookCall): Promise<void> {
    return this.inner.dropCall(call);
  }

  saveBlueprint(hash: string, blueprint: WorkflowBlueprint): Promise<void> {
    return this.inner.saveBlueprint(hash, blueprint);
  }

  blueprint(blueprintId: string, hash: string): Promise<WorkflowBlueprint | undefined> {
    return this.inner.blueprint(blueprintId, hash);
  }

  private openRun(stored: RunRecord): Promise<RunRecord> {
    return this.read(() => openRun(this.cipher, stored));
  }

  private openValues(runId: string, values: readonly StoredValue[]): Promise<StoredValue[]> {
    return this.read(() => values.map((value) => openValue(this.cipher, runId, value)));
  }

  private read<T>(read: () => T): Promise<T> {
    return reading(this.cipher, read);
  }
}
