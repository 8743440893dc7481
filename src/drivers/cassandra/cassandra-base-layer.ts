import { assertContextKey } from '../../core/identifiers.js';
import { ForeignContextInvalidError } from '../../core/limit-errors.js';
import { reading, type ValueCipher } from '../../core/value-cipher.js';
import type { ValueCodec } from '../../core/value-codec.js';
import { textOf, type CassandraSession } from './cassandra-session.js';

/**
 * The initial context of a run: the input with which it was accepted, or, before a foreign run is adopted, the row
 * that its client wrote.
 */
export class CassandraBaseLayer {
  private readonly inputCql: string;
  private readonly dataCql: string;

  constructor(
    private readonly session: CassandraSession,
    private readonly codec: ValueCodec,
    private readonly cipher: ValueCipher,
  ) {
    this.inputCql = `SELECT input FROM ${session.schema.name('runs')} WHERE runid = ?`;
    this.dataCql = `SELECT data FROM ${session.schema.name('contexts')} WHERE runid = ?`;
  }

  /** Each key's text as ValueCodec writes it. */
  async read(runId: string): Promise<Map<string, string>> {
    const [run, context] = await Promise.all([
      this.session.execute('reading the initial context', this.inputCql, [runId], runId),
      this.session.execute('reading the initial context', this.dataCql, [runId], runId),
    ]);
    const input = textOf(run.rows[0]?.['input']);
    if (input !== undefined) {
      await this.cipher.ready();
      const text = await reading(this.cipher, () => this.cipher.decrypt({ runId, kind: 'input' }, input));
      return new Map(Object.entries(JSON.parse(text) as Record<string, string>));
    }
    const data = textOf(context.rows[0]?.['data']);
    return data === undefined ? new Map() : this.entriesOf(data, runId);
  }

  private entriesOf(data: string, runId: string): Map<string, string> {
    const entries = new Map<string, string>();
    for (const [key, value] of Object.entries(this.parse(data, runId))) {
      assertContextKey(key, { runId });
      entries.set(key, this.codec.encode(value, `The initial value of '${key}'`, { runId }));
    }
    return entries;
  }

  private parse(data: string, runId: string): Record<string, unknown> {
    let parsed: unknown;
    try {
      parsed = JSON.parse(data);
    } catch {
      // the error of the parser quotes the data
      throw new ForeignContextInvalidError(runId, 'is no JSON');
    }
    if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed))
      throw new ForeignContextInvalidError(runId, 'is no JSON object');
    return parsed as Record<string, unknown>;
  }
}
