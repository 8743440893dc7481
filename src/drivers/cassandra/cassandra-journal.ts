import { types } from 'cassandra-driver';
import { chunksOf } from '../../core/chunks.js';
import type { TurnName, TurnRecord } from '../../core/run.js';
import { FIRST_TURN } from '../../core/turns.js';
import type { StoredValue, TurnWrite, ValueWrite } from '../../ports/run-store.js';
import { valueInsert, valueStatement } from './cassandra-values.js';
import type { CassandraSession, Stamp, Statement } from './cassandra-session.js';
import { givenByRow, GIVER_COLUMNS, TURN_COLUMNS, turnOfRow, turnParams } from './cassandra-turn-row.js';
import { IN_LIMIT, ReadGroups } from './read-groups.js';
import { WriteGroups } from './write-groups.js';

/** Rows a page: few where each may hold an output of a megabyte. */
const PAGE_WITH_OUTPUTS = 50;
const PAGE = 1000;
const PIECE_ROWS = 100;
const PIECE_CHARACTERS = 200_000;
const PIECES_AT_ONCE = 4;

/** The journal of runs: how each turn of each node settled, with its output. */
export class CassandraJournal {
  private readonly insertCql: string;
  private readonly valueCql: string;
  private readonly oneCql: string;
  private readonly allCql: string;
  private readonly headsCql: string;
  private readonly givenCql: string;
  private readonly outputsCql: string;
  private readonly someCql: string;
  private readonly writes: WriteGroups;
  private readonly reads: ReadGroups<TurnName>;

  constructor(private readonly session: CassandraSession) {
    this.writes = new WriteGroups((statements, runId) => session.batch('writing a turn', statements, runId));
    this.reads = new ReadGroups((runId, names) => this.readSome(runId, names));
    const table = session.schema.name('turns');
    const columns = TURN_COLUMNS.join(', ');
    const heads = TURN_COLUMNS.filter((column) => column !== 'output').join(', ');
    this.insertCql = `INSERT INTO ${table} (runid, ${columns}) VALUES (?${', ?'.repeat(TURN_COLUMNS.length)}) USING TIMESTAMP ?`;
    this.valueCql = valueInsert(session.schema);
    this.oneCql = `SELECT ${columns} FROM ${table} WHERE runid = ? AND node_id = ? AND turn = ?`;
    this.someCql = `SELECT ${columns} FROM ${table} WHERE runid = ? AND (node_id, turn) IN ?`;
    this.allCql = `SELECT ${columns} FROM ${table} WHERE runid = ?`;
    this.headsCql = `SELECT ${heads} FROM ${table} WHERE runid = ?`;
    this.givenCql = `SELECT ${GIVER_COLUMNS.join(', ')} FROM ${table} WHERE runid = ?`;
    this.outputsCql = `SELECT node_id, turn, output FROM ${table} WHERE runid = ? AND (node_id, turn) IN ?`;
  }

  /** In one mutation, since the rows have one partition key; what goes ahead is as many as it takes. */
  write({ runId, record, values, ahead }: TurnWrite): Promise<void> {
    const stamp = this.session.stamp(record.token);
    const statements: Statement[] = [{ query: this.insertCql, params: turnParams(runId, record, stamp) }];
    for (const value of values) statements.push(valueStatement(this.valueCql, runId, value, stamp));
    if (!ahead) return this.writes.add(runId, statements);
    return this.writeAhead(runId, ahead, stamp).then(() => this.writes.add(runId, statements));
  }

  private async writeAhead(runId: string, values: readonly ValueWrite[], stamp: Stamp): Promise<void> {
    const pieces = piecesOf(values)[Symbol.iterator]();
    const write = async () => {
      for (const piece of pieces) {
        const rows = piece.map((value) => valueStatement(this.valueCql, runId, value, stamp));
        await this.session.batch('writing values ahead of a turn', rows, runId);
      }
    };
    await Promise.all(Array.from({ length: PIECES_AT_ONCE }, write));
  }

  async turn(runId: string, nodeId: string, turn: string): Promise<TurnRecord | undefined> {
    const rows = await this.reads.ask(runId, [{ nodeId, turn }]);
    const row = rows.find((some) => some['node_id'] === nodeId && some['turn'] === turn);
    return row && turnOfRow(row);
  }

  private async readSome(runId: string, names: readonly TurnName[]): Promise<types.Row[]> {
    const [first] = names;
    if (first && names.length === 1)
      return (await this.session.execute('reading a turn', this.oneCql, [runId, first.nodeId, first.turn], runId)).rows;
    const tuples = names.map(({ nodeId, turn }) => new types.Tuple(nodeId, turn));
    return this.session.allRows('reading turns', this.someCql, [runId, tuples], PAGE_WITH_OUTPUTS, runId);
  }

  async turns(runId: string, outputs: boolean): Promise<TurnRecord[]> {
    const [query, fetchSize] = outputs ? [this.allCql, PAGE_WITH_OUTPUTS] : [this.headsCql, PAGE];
    const records: TurnRecord[] = [];
    for await (const page of this.session.pages('reading the journal', query, [runId], fetchSize, runId)) {
      for (const row of page) records.push(turnOfRow(row));
    }
    return records;
  }

  /** What the first turns of these nodes give to keys of the context. */
  async given(runId: string, nodeIds: readonly string[]): Promise<StoredValue[]> {
    const found: StoredValue[] = [];
    for (const some of chunksOf(nodeIds, IN_LIMIT)) {
      const names = some.map((nodeId) => ({ nodeId, turn: FIRST_TURN }));
      for (const row of await this.reads.ask(runId, names))
        if (row['turn'] === FIRST_TURN && some.includes(String(row['node_id']))) found.push(...givenByRow(row));
    }
    return found;
  }

  /** What all rows give. Undefined, and not all is read, if that has more characters than `most`. */
  async allGiven(runId: string, most: number): Promise<StoredValue[] | undefined> {
    const found: StoredValue[] = [];
    let characters = 0;
    for await (const page of this.session.pages('reading outputs', this.givenCql, [runId], PAGE_WITH_OUTPUTS, runId)) {
      for (const value of page.flatMap(givenByRow)) {
        characters += value.value?.length ?? 0;
        if (characters > most) return undefined;
        found.push(value);
      }
    }
    return found;
  }

  async outputs(runId: string, turns: readonly TurnName[]): Promise<(TurnName & { output: string })[]> {
    const found: (TurnName & { output: string })[] = [];
    for (const some of chunksOf(turns, IN_LIMIT)) {
      const names = some.map(({ nodeId, turn }) => new types.Tuple(nodeId, turn));
      for (const row of await this.session.allRows(
        'reading outputs',
        this.outputsCql,
        [runId, names],
        IN_LIMIT,
        runId,
      )) {
        const output = String(row['output'] ?? '');
        if (output !== '') found.push({ nodeId: String(row['node_id']), turn: String(row['turn']), output });
      }
    }
    return found;
  }
}

function* piecesOf(values: readonly ValueWrite[]): Generator<ValueWrite[]> {
  let piece: ValueWrite[] = [];
  let characters = 0;
  for (const value of values) {
    piece.push(value);
    characters += value.value?.length ?? 0;
    if (piece.length < PIECE_ROWS && characters < PIECE_CHARACTERS) continue;
    yield piece;
    piece = [];
    characters = 0;
  }
  if (piece.length > 0) yield piece;
}
