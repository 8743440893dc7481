import type { TurnName } from '../../core/run.js';
import type { WebhookCall, WebhookRecord } from '../../core/webhook.js';
import type { StoredWebhook } from '../../ports/run-store.js';
import { millisecondsOf, textOf, type CassandraSession } from './cassandra-session.js';

/** A row outlives its address by so long, since clocks differ. */
const KEPT_MS = 86_400_000;
/** Some versions refuse a row that would expire later (January 2038); such a row is kept for good. */
const LATEST_EXPIRY = 2_147_000_000_000;

/** Addresses that were told to somebody, by the hash of their token, and calls that came early, by run. */
export class CassandraWebhooks {
  private readonly addCql: string;
  private readonly readCql: string;
  private readonly useCql: string;
  private readonly keepCql: string;
  private readonly keptCql: string;
  private readonly dropCql: string;

  constructor(private readonly session: CassandraSession) {
    const hooks = session.schema.name('webhooks');
    const calls = session.schema.name('calls');
    this.addCql = `INSERT INTO ${hooks} (hash, runid, node_id, turn, expires_at) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?`;
    this.readCql = `SELECT runid, node_id, turn, expires_at, used FROM ${hooks} WHERE hash = ?`;
    this.useCql = `UPDATE ${hooks} USING TIMESTAMP ? AND TTL ? SET used = true WHERE hash = ?`;
    this.keepCql = `INSERT INTO ${calls} (runid, node_id, turn, call_id, output, received_at) VALUES (?, ?, ?, ?, ?, ?) IF NOT EXISTS`;
    this.keptCql = `SELECT call_id, output, received_at FROM ${calls} WHERE runid = ? AND node_id = ? AND turn = ?`;
    this.dropCql = `DELETE FROM ${calls} WHERE runid = ? AND node_id = ? AND turn = ? IF call_id = ?`;
  }

  async add(hook: WebhookRecord): Promise<void> {
    const { hash, runId, nodeId, turn, expiresAt } = hook;
    const params = [hash, runId, nodeId, turn, expiresAt, this.stampOf(hook), ttlOf(hook)];
    await this.session.execute('storing a webhook', this.addCql, params);
  }

  async read(hash: string): Promise<StoredWebhook | undefined> {
    const row = (await this.session.execute('reading a webhook', this.readCql, [hash])).rows[0];
    const runId = textOf(row?.['runid']);
    if (!row || runId === undefined) return undefined;
    return {
      hash,
      runId,
      nodeId: String(row['node_id']),
      turn: String(row['turn']),
      expiresAt: millisecondsOf(row['expires_at']),
      used: row['used'] === true,
    };
  }

  async use(hook: WebhookRecord): Promise<void> {
    const params = [this.stampOf(hook), ttlOf(hook), hook.hash];
    await this.session.execute('marking a webhook', this.useCql, params);
  }

  async keepCall({ runId, nodeId, turn, id, output, at }: WebhookCall): Promise<boolean> {
    const params = [runId, nodeId, turn, id, output, at];
    const result = await this.session.decide('keeping a call', this.keepCql, params, runId);
    // a try of ours that seemed lost may have been applied
    return result.wasApplied() || result.first()['call_id'] === id;
  }

  /** After finishing what was undecided: a call whose sender was told of no success may be kept all the same. */
  async keptCall(runId: string, { nodeId, turn }: TurnName): Promise<WebhookCall | undefined> {
    const result = await this.session.readSerial('reading a kept call', this.keptCql, [runId, nodeId, turn], runId);
    const row = result.rows[0];
    if (!row) return undefined;
    const [id, output] = [String(row['call_id']), String(row['output'])];
    return { runId, nodeId, turn, id, output, at: millisecondsOf(row['received_at']) };
  }

  async dropCall({ runId, nodeId, turn, id }: WebhookCall): Promise<void> {
    await this.session.decide('dropping a kept call', this.dropCql, [runId, nodeId, turn, id], runId);
  }

  /** The same for every write of one address, so that they can be repeated; each cell has one value only. */
  private stampOf({ expiresAt }: WebhookRecord) {
    return this.session.stamp(expiresAt * 1000);
  }
}

/** Seconds; 0: for good. */
function ttlOf({ expiresAt }: WebhookRecord): number {
  const now = Date.now();
  const expiry = Math.max(now, expiresAt) + KEPT_MS;
  return expiry > LATEST_EXPIRY ? 0 : Math.ceil((expiry - now) / 1000);
}
