import { errors, types } from 'cassandra-driver';
import {
  isHopeless,
  isRefused,
  isReplicationRefused,
  wrongOptions,
  isUndecided,
  isUnavailable,
  translated,
} from '../../../../src/drivers/cassandra/cassandra-errors.js';
import { CassandraSchema } from '../../../../src/drivers/cassandra/cassandra-schema.js';

const codes = types.responseErrorCodes;
const schema = new CassandraSchema({ keyspace: 'ks' });
const response = (code: number, message = 'no') => new errors.ResponseError(code, message);
const socketError = (code: string) => Object.assign(new Error(`connect ${code}`), { code });

describe('an error of the driver', () => {
  it.each([
    ['NoHostAvailableError', new errors.NoHostAvailableError({ 'h:1': socketError('ECONNREFUSED') })],
    ['OperationTimedOutError', new errors.OperationTimedOutError('late')],
    ['BusyConnectionError', new errors.BusyConnectionError('h', 1, 1)],
    ['unavailable', response(codes.unavailableException)],
    ['overloaded', response(codes.overloaded)],
    ['bootstrapping', response(codes.isBootstrapping)],
    ['read timeout', response(codes.readTimeout)],
    ['write timeout', response(codes.writeTimeout)],
    ['undecided transaction', response(0x1700)],
    ['closed socket', Object.assign(new Error('Socket was closed'), { isSocketError: true })],
    ['reset connection', socketError('ECONNRESET')],
    ['host without connections', new Error('No connection available')],
    ['table that the server has not opened yet', new Error('java.lang.IllegalArgumentException: Unknown CF de4f3ba0')],
  ])('is an UnavailableError with its cause: %s', (_name, error) => {
    expect(isUnavailable(error)).toBe(true);
    const result = translated(error, 'reading a run', schema);
    expect(result).toMatchObject({ code: 'FLOW_UNAVAILABLE', server: 'cassandra', retryable: true });
    expect((result as Error).message).toContain('for reading a run');
    expect((result as Error).cause).toBeDefined();
  });

  it.each([
    ['syntax', response(codes.syntaxError)],
    ['unauthorized', response(codes.unauthorized)],
    ['server', response(codes.serverError)],
    ['other invalid', response(codes.invalid, 'Invalid STRING constant')],
    ['argument', new errors.ArgumentError('bad')],
    ['type', new TypeError('bad')],
  ])('comes back as it is: %s', (_name, error) => {
    expect(translated(error, 'reading a run', schema)).toBe(error);
  });

  it('names all hosts in one line', () => {
    const inner = { 'a:9042': socketError('ECONNREFUSED'), 'b:9042': new errors.OperationTimedOutError('late') };
    const { message } = translated(new errors.NoHostAvailableError(inner), 'x', schema) as Error;
    expect(message).toBe(
      'cassandra is not available for x: a:9042: connect ECONNREFUSED; b:9042: late. Check that it runs, and try again; workers do so by themselves.',
    );
  });

  it.each([
    'Rejected an oversized mutation (9000058/8388608) for keyspace: ks. Top keys are: t.1',
    'Request is too big: length 9000058 exceeds maximum allowed length 8388608.',
  ])('says that a write is too large: %s', (message) => {
    const error = translated(response(codes.invalid, message), 'writing a turn', schema);
    expect(error).toMatchObject({ code: 'FLOW_VALUE_TOO_LARGE', bytes: 9_000_058, maxBytes: 8_388_608 });
  });

  it.each([
    ['table runs does not exist', 'CREATE TABLE IF NOT EXISTS ks.runs ('],
    ['unconfigured table runs', 'CREATE TABLE IF NOT EXISTS ks.runs ('],
    ['unconfigured table ks.runs', 'CREATE TABLE IF NOT EXISTS ks.runs ('],
    ['keyspace ks does not exist', 'CREATE KEYSPACE IF NOT EXISTS ks WITH'],
    ['Undefined column name result in table ks.statuses', 'ALTER TABLE ks.statuses ADD result text;'],
  ])('names the statement that is missing: %s', (message, statement) => {
    const error = translated(response(codes.invalid, message), 'x', schema);
    expect(error).toMatchObject({ code: 'FLOW_SCHEMA_MISSING', message: expect.stringContaining(statement) });
  });

  it('is passed on when it is about a table that is not ours', () => {
    const error = response(codes.invalid, 'table other does not exist');
    expect(translated(error, 'x', schema)).toBe(error);
  });
});

describe('what to do about an error', () => {
  it('a transaction that a live server gave up on is asked again', () => {
    expect([response(codes.writeTimeout), response(0x1700)].map(isUndecided)).toEqual([true, true]);
    expect(isUndecided(new errors.OperationTimedOutError('late'))).toBe(false);
  });

  it('a lost race over the schema is tried again, a refusal is not', () => {
    const raced = [
      response(codes.alreadyExists),
      response(codes.configError, 'Column family ID mismatch'),
      response(codes.serverError),
      response(codes.invalid, "Column with name 'result' already exists"),
      response(codes.invalid, 'Invalid column name result because it conflicts with an existing column'),
      new errors.OperationTimedOutError('late'),
    ];
    expect(raced.map(isRefused)).toEqual(raced.map(() => false));
    const refused = [
      response(codes.unauthorized),
      response(codes.syntaxError),
      response(codes.invalid, 'Unknown type'),
    ];
    expect(refused.map(isRefused)).toEqual([true, true, true]);
  });

  it('wrong options are hopeless, also when each host says so', () => {
    const wrong = new errors.ArgumentError('no such data centre');
    expect(isHopeless(wrong)).toBe(true);
    expect(isHopeless(new errors.NoHostAvailableError({ a: wrong }))).toBe(true);
    expect(isHopeless(new errors.NoHostAvailableError({ a: wrong, b: socketError('ECONNREFUSED') }))).toBe(false);
    expect(isHopeless(new errors.NoHostAvailableError({}))).toBe(false);
  });

  it('a refused replication is no lost race', () => {
    expect(isReplicationRefused(response(codes.configError, 'Unrecognized strategy option {nodc}'))).toBe(true);
    expect(isReplicationRefused(response(codes.alreadyExists))).toBe(false);
  });

  it('a wrong data centre is a wrong option, and those that exist are named', () => {
    const wrong = new errors.ArgumentError(
      "localDataCenter was configured as 'nodc', but only found hosts in data centers: [dc1, dc2]",
    );
    expect(wrongOptions(new errors.NoHostAvailableError({ a: wrong }))).toMatchObject({
      code: 'FLOW_CONFIGURATION',
      problems: [{ path: 'cassandra.localDataCenter', message: expect.stringMatching(/'nodc'.*'dc1', 'dc2'/) }],
    });
    expect(wrongOptions(new errors.ArgumentError('no'))).toMatchObject({
      problems: [{ path: 'cassandra', message: 'no' }],
    });
  });
});
