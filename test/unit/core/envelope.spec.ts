import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeJob, encodeJob, JOB_FORMAT, jobTurn, MAX_JOB_BYTES } from '../../../src/core/envelope.js';
import { ErrorCode, FlowcraftKafkaError, JobFormatTooNewError, JobMalformedError } from '../../../src/core/errors.js';

const job = { runId: 'run-1', blueprintId: 'b', nodeId: 'n' };
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

describe('a job', () => {
  it('is read as it was written', () => {
    const text = fc.string({ minLength: 1, maxLength: 100, unit: 'grapheme' });
    const runId = fc.stringMatching(/^[A-Za-z0-9_.:-]{1,128}$/);
    const jobs = fc.record(
      { runId, blueprintId: text, nodeId: text, turn: text, unroutableSince: fc.nat() },
      { requiredKeys: ['runId', 'blueprintId', 'nodeId'] },
    );
    fc.assert(fc.property(jobs, (given) => expect(decodeJob(Buffer.from(encodeJob(given)))).toEqual({ ...given })));
  });

  it('of a turn that the ledger has open is read as it was written', () => {
    const job = { runId: 'r', blueprintId: 'b', nodeId: 'n', turn: '1', isOpen: true as const };
    expect(decodeJob(Buffer.from(encodeJob(job)))).toEqual(job);
  });

  it('of a probe is read as it was written', () => {
    const probe = { runId: 'r', blueprintId: 'b', nodeId: '', probe: true as const };
    expect(decodeJob(Buffer.from(encodeJob(probe)))).toEqual(probe);
  });

  it('of a foreign client has three fields, and means the first turn', () => {
    const foreign = decodeJob(bytes(job));
    expect(foreign).toEqual(job);
    expect(jobTurn(foreign)).toBe('1');
    expect(jobTurn({ ...job, turn: '2' })).toBe('2');
  });

  it('may have fields that nobody knows', () => {
    expect(decodeJob(bytes({ ...job, attempt: 3, meta: { a: [1] } }))).toEqual(job);
  });

  it('in a newer format is refused, with what to do', () => {
    expect(() => decodeJob(bytes({ ...job, v: JOB_FORMAT + 1 }))).toThrow(JobFormatTooNewError);
    expect(() => decodeJob(bytes({ ...job, v: JOB_FORMAT + 1 }))).toThrow(/Upgrade the workers/);
  });

  it('in a newer format is refused as such even if its fields changed', () => {
    expect(() => decodeJob(bytes({ v: 99, run: 'r' }))).toThrow(JobFormatTooNewError);
  });
});

describe('a message that is no job', () => {
  const refused: [what: string, value: Buffer | null][] = [
    ['no value', null],
    ['nothing in it', Buffer.alloc(0)],
    ['no JSON', Buffer.from('{"runId":')],
    ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x00])],
    ['null', bytes(null)],
    ['a list', bytes([job])],
    ['a text', bytes('job')],
    ['no run id', bytes({ ...job, runId: undefined })],
    ['a run id with other characters', bytes({ ...job, runId: 'a/b' })],
    ['a run id that is too long', bytes({ ...job, runId: 'a'.repeat(129) })],
    ['a run id that is a number', bytes({ ...job, runId: 5 })],
    ['no blueprint id', bytes({ ...job, blueprintId: '' })],
    ['no node id', bytes({ ...job, nodeId: null })],
    ['a node id that is too long', bytes({ ...job, nodeId: 'n'.repeat(1025) })],
    ['an empty turn', bytes({ ...job, turn: '' })],
    ['a turn that is a number', bytes({ ...job, turn: 1 })],
    ['a format that is a text', bytes({ ...job, v: '1' })],
    ['a format of zero', bytes({ ...job, v: 0 })],
    ['a format between two', bytes({ ...job, v: 1.5 })],
  ];

  it.each(refused)('is refused: %s', (_what, value) => {
    expect(() => decodeJob(value)).toThrow(JobMalformedError);
  });

  it('is refused if it is too large, before it is parsed', () => {
    const large = Buffer.alloc(MAX_JOB_BYTES + 1, ' ');
    expect(() => decodeJob(large)).toThrow(/at most 65536/);
    const justSo = bytes({ ...job, pad: 'x'.repeat(MAX_JOB_BYTES - JSON.stringify({ ...job, pad: '' }).length) });
    expect(decodeJob(justSo)).toEqual(job);
  });

  it('is refused if it is nested too deep', () => {
    const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) });
    expect(decodeJob(bytes({ ...job, deep: nested(6) }))).toEqual(job);
    expect(() => decodeJob(bytes({ ...job, deep: nested(8) }))).toThrow(/deeper/);
    expect(() => decodeJob(Buffer.from('['.repeat(30_000) + ']'.repeat(30_000)))).toThrow(JobMalformedError);
    const hidden = `{"runId":"r","blueprintId":"b","nodeId":"n","deep":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;
    expect(() => decodeJob(Buffer.from(hidden))).toThrow(JobMalformedError);
  });

  it('never makes anything but an error of this package, whatever the bytes', () => {
    const almost = fc.record(
      {
        runId: fc.anything(),
        blueprintId: fc.anything(),
        nodeId: fc.anything(),
        turn: fc.anything(),
        v: fc.anything(),
        probe: fc.anything(),
      },
      { requiredKeys: [] },
    );
    const anyBytes = fc.oneof(
      fc.uint8Array().map((list) => Buffer.from(list)),
      fc.json().map((text) => Buffer.from(text)),
      almost.map((value) => Buffer.from(textOf(value))),
    );
    fc.assert(
      fc.property(anyBytes, (value) => {
        try {
          decodeJob(value);
        } catch (error) {
          expect(error).toBeInstanceOf(FlowcraftKafkaError);
          expect([ErrorCode.JobMalformed, ErrorCode.JobFormatTooNew]).toContain((error as FlowcraftKafkaError).code);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('does not change prototypes', () => {
    const decoded = decodeJob(Buffer.from('{"runId":"r","blueprintId":"b","nodeId":"n","__proto__":{"turn":"9"}}'));
    expect(decoded).toEqual({ runId: 'r', blueprintId: 'b', nodeId: 'n' });
    expect(jobTurn(decoded)).toBe('1');
  });
});

/** Some of fast-check's values are no JSON. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? 'null';
}
