import fc from 'fast-check';
import {
  cqlNameProblem,
  dataCentreProblem,
  groupProblem,
  keyPrefixProblem,
  topicProblem,
} from '../../../src/core/names.js';
import { createServerDrivers } from '../../../src/composition/server-drivers.js';
import { DEFAULT_OPTIONS } from '../../../src/index.js';
import { SystemClock } from '../../../src/drivers/system/system-clock.js';
import { SystemIds } from '../../../src/drivers/system/system-ids.js';
import { problemsOf } from '../../../src/nest/options-check.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const INJECTIONS = [
  'ks; DROP KEYSPACE x',
  'ks"',
  "ks'",
  'ks--',
  'ks/*',
  'ks.statuses',
  'ks\n',
  'ks\u0000',
  'ks{a}',
  ' ks',
  'ｋｓ',
  '',
];

describe('names of keyspaces and tables', () => {
  it.each([...INJECTIONS, 'a'.repeat(49), '1st', '_a', 'select', 'Table', 'TOKEN'])('are refused: %j', (name) => {
    expect(cqlNameProblem(name)).toBeDefined();
  });

  it('hold nothing that could end a statement, whatever is tried', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        if (cqlNameProblem(name) === undefined) expect(name).toMatch(/^[A-Za-z]\w*$/);
      }),
    );
  });

  it.each(['flowcraft_ks', 'Orders2', 'a', 'system_x', 'runs', 'key', 'ttl'])('may be %j', (name) => {
    expect(cqlNameProblem(name)).toBeUndefined();
  });
});

it.each(["dc'1", 'dc"', 'dc}', '', 'dc\n'])('data centres are refused: %j', (name) => {
  expect(dataCentreProblem(name)).toBeDefined();
});

it.each(['a b', 'a/b', '.', '..', '', 'a'.repeat(241), 'ä', 'a\n'])('topics are refused: %j', (name) => {
  expect(topicProblem(name)).toBeDefined();
});

it.each(['', 'a'.repeat(250), 'a\nb', '\u0000'])('groups are refused: %j', (name) => {
  expect(groupProblem(name)).toBeDefined();
});

it.each(['', '{a}', 'a b', 'a\r\nFLUSHALL', 'a\u0000', 'a'.repeat(101)])('prefixes of keys are refused: %j', (name) => {
  expect(keyPrefixProblem(name)).toBeDefined();
});

describe('names in options', () => {
  it.each([
    ['topicName', 'a b'],
    ['groupId', 'a\nb'],
    ['keyspace', 'ks; DROP KEYSPACE x'],
    ['contextTableName', 'contexts"'],
    ['statusTableName', 'ks.statuses'],
    ['redisKeyPrefix', 'a\r\nFLUSHALL'],
  ])('of %s are checked at start: %j', (path, bad) => {
    expect(problemsOf({ embedded: true, [path]: bad }).map((p) => p.path)).toEqual([path]);
  });

  it('are checked without the module, too', () => {
    const options = {
      ...DEFAULT_OPTIONS,
      kafka: { brokers: ['localhost:9'] },
      cassandra: { contactPoints: ['localhost'], localDataCenter: 'dc' },
      redis: 'redis://localhost:9',
      topicName: 'a b',
      groupId: '',
      redisKeyPrefix: '{x}',
    };
    const environment = { clock: new SystemClock(), ids: new SystemIds(), logger: new RecordingLogger() };
    expect(() => createServerDrivers(options, environment)).toThrow(
      expect.objectContaining({
        problems: ['topicName', 'groupId', 'redisKeyPrefix'].map((path) => expect.objectContaining({ path })),
      }),
    );
  });

  it('of data centres are checked', () => {
    const keyspaceReplication = { "dc'; DROP": 1 };
    expect(problemsOf({ embedded: true, provision: { keyspaceReplication } })).toEqual([
      { path: "provision.keyspaceReplication.dc'; DROP", message: expect.stringContaining('data centre') },
    ]);
  });
});
