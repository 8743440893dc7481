import type { WorkflowBlueprint } from 'flowcraft';
import type { CassandraSession } from './cassandra-session.js';

/** Blueprints by id and content hash: a row never changes once written. */
export class CassandraBlueprints {
  private readonly writeCql: string;
  private readonly readCql: string;

  constructor(private readonly session: CassandraSession) {
    const table = session.schema.name('blueprints');
    this.writeCql = `INSERT INTO ${table} (blueprint_id, hash, version, body) VALUES (?, ?, ?, ?)`;
    this.readCql = `SELECT body FROM ${table} WHERE blueprint_id = ? AND hash = ?`;
  }

  async save(hash: string, blueprint: WorkflowBlueprint): Promise<void> {
    const params = [blueprint.id, hash, blueprint.metadata?.version ?? '', JSON.stringify(blueprint)];
    await this.session.execute('storing a blueprint', this.writeCql, params);
  }

  async read(blueprintId: string, hash: string): Promise<WorkflowBlueprint | undefined> {
    const result = await this.session.execute('reading a blueprint', this.readCql, [blueprintId, hash]);
    const row = result.rows[0];
    return row && (JSON.parse(String(row['body'])) as WorkflowBlueprint);
  }
}
