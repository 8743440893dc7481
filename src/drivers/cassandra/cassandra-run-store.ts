import type { WorkflowBlueprint } from 'flowcraft';
import type { RetryRecord } from '../../core/retry.js';
import type { WebhookCall, WebhookRecord } from '../../core/webhook.js';
import type { EndStatus, RunRecord, TurnName, TurnRecord } from '../../core/run.js';
import type { Logger } from '../../ports/logger.js';
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
import { CassandraBlueprints } from './cassandra-blueprints.js';
import { CassandraConnection, type CassandraConnectionOptions } from './cassandra-client.js';
import { CassandraContextRows } from './cassandra-context-rows.js';
import { CassandraJournal } from './cassandra-journal.js';
import { CassandraProvisioner, type CassandraProvisioning } from './cassandra-provision.js';
import { CassandraRedrives } from './cassandra-redrives.js';
import { CassandraRunIndex } from './cassandra-run-index.js';
import { CassandraRuns } from './cassandra-runs.js';
import { CassandraSchema, type SchemaNames } from './cassandra-schema.js';
import { CassandraSession } from './cassandra-session.js';
import { CassandraStatuses } from './cassandra-statuses.js';
import { CassandraTimerRows } from './cassandra-timer-rows.js';
import { CassandraValues } from './cassandra-values.js';
import { CassandraWebhooks } from './cassandra-webhooks.js';

export interface CassandraRunStoreOptions extends CassandraConnectionOptions, SchemaNames {
  readonly provision?: CassandraProvisioning;
}

/** The durable truth about runs, in Cassandra 4.1 or newer. Each concern of the port has a class of its own. */
export class CassandraRunStore implements RunStore {
  readonly connection: CassandraConnection;
  /** Of the same connection and lifecycle. */
  readonly timers: CassandraTimerRows;
  private readonly provisioner: CassandraProvisioner;
  private readonly session: CassandraSession;
  private readonly runs: CassandraRuns;
  private readonly index: CassandraRunIndex;
  private readonly journal: CassandraJournal;
  private readonly contextValues: CassandraValues;
  private readonly context: CassandraContextRows;
  private readonly statuses: CassandraStatuses;
  private readonly blueprints: CassandraBlueprints;
  private readonly redrives: CassandraRedrives;
  private readonly webhooks: CassandraWebhooks;

  /** @throws ConfigurationError for names that are no identifiers */
  constructor(
    options: CassandraRunStoreOptions,
    private readonly logger: Logger,
  ) {
    const schema = new CassandraSchema(options);
    this.connection = new CassandraConnection(options, logger);
    this.provisioner = new CassandraProvisioner(this.connection, schema, options.provision ?? {}, logger);
    const session = new CassandraSession(this.connection, schema);
    this.session = session;
    this.runs = new CassandraRuns(session);
    this.index = new CassandraRunIndex(session);
    this.journal = new CassandraJournal(session);
    this.contextValues = new CassandraValues(session);
    this.context = new CassandraContextRows(this.contextValues, this.journal);
    this.statuses = new CassandraStatuses(session);
    this.blueprints = new CassandraBlueprints(session);
    this.redrives = new CassandraRedrives(session);
    this.webhooks = new CassandraWebhooks(session);
    this.timers = new CassandraTimerRows(session);
  }

  /** @throws ConnectError after `connectTimeoutMs`; may then be called again */
  connect(): Promise<void> {
    return this.connection.connect();
  }

  /** @throws SchemaMissingError, ConfigurationError if a table has another shape, UnavailableError */
  provision(): Promise<void> {
    return this.provisioner.provision();
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  async accept(run: RunRecord): Promise<{ accepted: boolean; run: RunRecord }> {
    await this.index.add(run.runId, run.createdAt, run.blueprintId);
    const answer = await this.runs.accept(run);
    if (!answer.accepted && answer.run.createdAt !== run.createdAt) await this.removeEntry(run);
    return answer;
  }

  async create(run: RunRecord, first: StatusWrite): Promise<void> {
    await this.index.add(run.runId, run.createdAt, run.blueprintId);
    const rows = [this.runs.creation(run), this.statuses.statement(first)];
    await this.session.batch('accepting a run', rows, run.runId);
  }

  run(runId: string): Promise<RunRecord | undefined> {
    return this.runs.read(runId);
  }

  end(runId: string, status: EndStatus, reason: string | undefined, at: number, retries?: number): Promise<EndAnswer> {
    return this.runs.end(runId, status, reason, at, retries);
  }

  reopen(
    runId: string,
    retries: number,
    retry: RetryRecord,
  ): Promise<{ reopened: boolean; run: RunRecord | undefined }> {
    return this.runs.reopen(runId, retries, retry);
  }

  /** Reaches back 30 days at most: older entries have expired. */
  list(filter: RunFilter): Promise<{ runIds: string[]; cursor?: string }> {
    return this.index.list(filter);
  }

  turn(runId: string, nodeId: string, turn: string): Promise<TurnRecord | undefined> {
    return this.journal.turn(runId, nodeId, turn);
  }

  turns(runId: string, outputs = true): Promise<TurnRecord[]> {
    return this.journal.turns(runId, outputs);
  }

  /** @throws WriteTooLargeError if all values of the turn together exceed what the server takes as one mutation */
  write(write: TurnWrite): Promise<void> {
    return this.journal.write(write);
  }

  writeValues(runId: string, values: readonly ValueWrite[], stamp: number): Promise<void> {
    return this.contextValues.write(runId, values, stamp);
  }

  values(runId: string, keys: readonly string[], givers: readonly string[]): Promise<StoredValue[]> {
    return this.context.some(runId, keys, givers);
  }

  async allValues(runId: string): Promise<StoredValue[]>;
  async allValues(runId: string, most: number | undefined): Promise<StoredValue[] | undefined>;
  allValues(runId: string, most?: number): Promise<StoredValue[] | undefined> {
    return this.context.all(runId, most);
  }

  async ownValues(runId: string): Promise<StoredValue[]>;
  async ownValues(runId: string, most: number | undefined): Promise<StoredValue[] | undefined>;
  ownValues(runId: string, most?: number): Promise<StoredValue[] | undefined> {
    return this.contextValues.all(runId, most);
  }

  outputs(runId: string, turns: readonly TurnName[]): Promise<(TurnName & { output: string })[]> {
    return this.journal.outputs(runId, turns);
  }

  writeStatus(write: StatusWrite): Promise<void> {
    return this.statuses.write(write);
  }

  status(runId: string): Promise<StatusRow | undefined> {
    return this.statuses.read(runId);
  }

  touchStatus(runId: string, stamp: number, at: number): Promise<void> {
    return this.statuses.touch(runId, stamp, at);
  }

  foreign(runId: string): Promise<ForeignRun | undefined> {
    return this.statuses.foreign(runId);
  }

  markRedriven(topic: string, marks: readonly RedriveMark[]): Promise<void> {
    return this.redrives.mark(topic, marks);
  }

  redriven(topic: string, partition: number, from: bigint, to: bigint): Promise<RedriveMark[]> {
    return this.redrives.read(topic, partition, from, to);
  }

  addWebhook(hook: WebhookRecord): Promise<void> {
    return this.webhooks.add(hook);
  }

  webhook(hash: string): Promise<StoredWebhook | undefined> {
    return this.webhooks.read(hash);
  }

  useWebhook(hook: WebhookRecord): Promise<void> {
    return this.webhooks.use(hook);
  }

  keepCall(call: WebhookCall): Promise<boolean> {
    return this.webhooks.keepCall(call);
  }

  keptCall(runId: string, turn: TurnName): Promise<WebhookCall | undefined> {
    return this.webhooks.keptCall(runId, turn);
  }

  dropCall(call: WebhookCall): Promise<void> {
    return this.webhooks.dropCall(call);
  }

  saveBlueprint(hash: string, blueprint: WorkflowBlueprint): Promise<void> {
    return this.blueprints.save(hash, blueprint);
  }

  blueprint(blueprintId: string, hash: string): Promise<WorkflowBlueprint | undefined> {
    return this.blueprints.read(blueprintId, hash);
  }

  /** A run that is listed twice harms nobody, so that a failure here is not the caller's. */
  private async removeEntry({ runId, createdAt }: RunRecord): Promise<void> {
    try {
      await this.index.remove(runId, createdAt);
    } catch (error) {
      this.logger.debug('The index entry of a run that existed already was not removed', { runId, error });
    }
  }
}
