/**
 * The least that a whole run costs: what the start and the end of a run ask of Cassandra and Redis in this package, with
 * the bare drivers, in one process. No message is sent, and no index kept: runs that start together share its writes.
 */
const TTL_MS = '604800000';

/** KEYS: the run's hash, the runs that are watched. ARGV: time to live, run id, its fields. */
const BEGIN = `
local time = redis.call('TIME')
redis.call('ZADD', KEYS[2], string.format('%.0f', time[1] * 1000000 + time[2]), ARGV[2])
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1`;
const CONCLUDE = `
redis.call('HSET', KEYS[1], 'x', 'completed')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[2])
return 1`;

export const RUN_TABLES = {
  runs: 'runid text PRIMARY KEY, blueprint_id text, blueprint_version text, blueprint_hash text, input text, input_hash text, tags list<text>, options text, created_at timestamp, status text, reason text, ended_at timestamp, ended_by text, retries int',
  statuses: 'runid text PRIMARY KEY, status text, reason text, result text, updated_at timestamp',
};

export function floorRuns(cassandra, redis, name) {
  const statusCql = `INSERT INTO ${name}.statuses (runid, status, reason, result, updated_at) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?`;
  const createCql = `INSERT INTO ${name}.runs (runid, blueprint_id, blueprint_hash, input, input_hash, tags, created_at, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP 1`;
  const endCql = `UPDATE ${name}.runs SET status = ?, ended_at = ?, ended_by = ? WHERE runid = ? IF status = 'running' AND retries = ?`;
  const rowCql = `SELECT node_id, turn, fencing_token, status, output FROM ${name}.turns WHERE runid = ? AND node_id = ? AND turn = ?`;
  const valuesCql = `SELECT key, deleted, is_ref, value FROM ${name}.vals WHERE runid = ?`;
  redis.defineCommand('begin', { numberOfKeys: 2, lua: BEGIN });
  redis.defineCommand('conclude', { numberOfKeys: 2, lua: CONCLUDE });
  const keyOf = (runId) => `${name}:{${runId}}`;
  const stampNow = () => String(Date.now() * 1000);
  const read = (cql, params) => cassandra.execute(cql, params, { prepare: true });
  const write = (...statements) => cassandra.batch(statements, { prepare: true, logged: true });
  const statusOf = (runId, status, result) => [runId, status, null, result, Date.now(), stampNow()];
  return {
    async begin(runId) {
      const hash = 'd2ed0f92f25e708dbbd5db3abb93c42becb423e4';
      await write(
        { query: createCql, params: [runId, 'chain-10-noop', hash, '{}', hash, [], Date.now(), 'running'] },
        { query: statusCql, params: statusOf(runId, 'running', null) },
      );
      const state = ['i', runId, 't', stampNow(), 'o', '1', 'w', '0', 'q', '0', 'j', '0', `s:n0:1`, 'R'];
      await redis.begin(keyOf(runId), `${name}:idle`, TTL_MS, runId, ...state);
      await read(`SELECT * FROM ${name}.runs WHERE runid = ?`, [runId]);
      await Promise.all([
        read(rowCql, [runId, 'n0', '1']),
        redis.settle(keyOf(runId), 'n0\u001f0', stampNow(), 'n0\u001f1'),
      ]);
    },
    async end(runId, values) {
      await read(endCql, ['completed', Date.now(), runId, runId, null]);
      await read(valuesCql, [runId]);
      const result = JSON.stringify({ context: values, status: 'completed' });
      await read(statusCql, statusOf(runId, 'completed', result));
      await Promise.all([
        redis.conclude(keyOf(runId), `${name}:idle`, TTL_MS, runId),
        redis.publish(`${name}:ends`, runId),
      ]);
      await read(`SELECT status, reason, result, updated_at FROM ${name}.statuses WHERE runid = ?`, [runId]);
    },
  };
}
