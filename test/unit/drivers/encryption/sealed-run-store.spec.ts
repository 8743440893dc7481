import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { openTurn, sealTurn } from '../../../../src/core/sealed-records.js';
import { NO_CIPHER, type ValueCipher } from '../../../../src/core/value-cipher.js';
import { AesValueCipher } from '../../../../src/drivers/encryption/aes-value-cipher.js';
import { SealedRunStore } from '../../../../src/drivers/encryption/sealed-run-store.js';
import { MemoryRunStore, MemoryStoreData } from '../../../../src/drivers/memory/memory-run-store.js';
import { ErrorCode } from '../../../../src/index.js';
import { runStoreContract } from '../../../contract/run-store-contract.js';
import { runRecord } from '../../../support/run-records.js';
import { turnRecord } from '../../../support/turn-records.js';

const SECRET = 'P4Y104D';
const key = () => randomBytes(32).toString('base64');
const cipherOf = (id = 'k1') => new AesValueCipher({ keys: { [id]: key() }, activeKeyId: id });

runStoreContract('memory, encrypted', async () => {
  const data = new MemoryStoreData();
  const store = new SealedRunStore(new MemoryRunStore(data), cipherOf());
  await store.connect();
  return {
    store,
    close: () => store.close(),
    writeForeign: async (runId, text) => {
      data.foreign.set(runId, { data: text, stamp: Date.now() * 1000 });
    },
  };
});

describe('what is stored', () => {
  const data = new MemoryStoreData();
  const storeWith = (cipher: ValueCipher) => new SealedRunStore(new MemoryRunStore(data), cipher);
  const k1 = key();
  const old = new AesValueCipher({ keys: { k1 }, activeKeyId: 'k1' });
  const record = turnRecord('a', {
    status: 'failed',
    token: 2,
    output: `{"v":"${SECRET}"}`,
    error: { message: SECRET, isFatal: false, cause: { name: 'Error', message: SECRET } },
    dynamicNodes: [{ id: 'd', uses: 'x', params: { secret: SECRET } }],
  });
  const run = runRecord({ input: `{"a":"${SECRET}"}`, inputHash: 'c0ffee' });
  const { runId } = run;
  const status = { runId, status: 'failed' as const, result: SECRET, reason: SECRET, stamp: 5, at: 1 };

  beforeAll(async () => {
    const store = storeWith(old);
    await store.accept(run);
    await store.write({
      runId,
      record,
      values: [
        { key: 'k', value: SECRET },
        { key: 'gone', deleted: true },
      ],
    });
    await store.writeStatus(status);
    await store.end(runId, 'failed', SECRET, 1);
  });

  /** All that is readable of the run. */
  const all = async (store: SealedRunStore) => [
    await store.run(runId),
    await store.turns(runId),
    await store.turn(runId, 'a', record.turn),
    await store.allValues(runId),
    await store.outputs(runId, [record]),
    await store.status(runId),
  ];

  it('holds no value, no result, no reason and no error that could be read, nor the hash of an input', () => {
    const text = JSON.stringify([
      ...data.runs.values(),
      ...[...data.turns.values()].map((rows) => [...rows.values()]),
      ...[...data.values.values()].map((rows) => [...rows.values()]),
      ...data.statuses.values(),
    ]);
    expect(text).toContain('enc1:k1:');
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain('c0ffee');
    expect(text).not.toContain(Buffer.from(SECRET).toString('base64').slice(0, 8));
  });

  it('comes back as it was', async () => {
    const store = storeWith(old);
    expect(await store.turn(runId, 'a', record.turn)).toEqual(record);
    expect(await store.run(runId)).toMatchObject({ input: run.input, inputHash: run.inputHash, reason: SECRET });
    expect(await store.values(runId, ['k'], [])).toEqual([{ key: 'k', value: SECRET, stamp: 2 }]);
    expect(await store.status(runId)).toMatchObject({ result: SECRET, reason: SECRET });
  });

  it('comes back as it was under the keys that a row gives it to', async () => {
    const store = storeWith(old);
    const row = { ...record, nodeId: 'g', turn: '1', gives: ['_outputs.g', '_inputs.h'] };
    await store.write({ runId, record: row, values: [] });
    const ref = { nodeId: 'g', turn: '1' };
    const given = row.gives.map((key) => ({ key, stamp: row.token, value: row.output, ref }));
    expect(await store.values(runId, row.gives, ['g'])).toEqual(given);
    const own = await store.ownValues(runId);
    expect(own).toContainEqual({ key: 'k', value: SECRET, stamp: 2 });
    expect(own.map(({ key }) => key)).not.toContain('_outputs.g');
  });

  it('is read with old keys, while new ones are written with', async () => {
    const store = storeWith(new AesValueCipher({ keys: { k1, k2: key() }, activeKeyId: 'k2' }));
    const before = await all(storeWith(old));
    expect(await all(store)).toEqual(before);
    await store.writeStatus({ ...status, runId: 'other' });
    expect(data.statuses.get('other')?.head?.result).toMatch(/^enc1:k2:/);
    // a start that is repeated finds the run, although its input was encrypted with another key
    expect(await store.accept(run)).toMatchObject({ accepted: false, run: { inputHash: run.inputHash } });
  });

  it.each([
    ['another key', cipherOf('k2'), ErrorCode.EncryptionKeyUnknown],
    ['no key', NO_CIPHER, ErrorCode.EncryptionKeyUnknown],
    ['another key of the same id', cipherOf('k1'), ErrorCode.DecryptionFailed],
  ])('is refused with %s, by a code', async (_name, cipher, code) => {
    const store = storeWith(cipher);
    await expect(store.run(runId)).rejects.toMatchObject({ code, runId });
    await expect(store.turns(runId)).rejects.toMatchObject({ code });
    await expect(store.allValues(runId)).rejects.toMatchObject({ code });
    await expect(store.status(runId)).rejects.toMatchObject({ code });
  });

  it('is the same when it is written again, so that repeated writes change nothing', () => {
    expect(sealTurn(old, runId, record)).toEqual(sealTurn(old, runId, record));
  });

  it('is refused where it is not encrypted, unless that is accepted', async () => {
    const plain = new MemoryStoreData();
    const writer = new SealedRunStore(new MemoryRunStore(plain), NO_CIPHER);
    await writer.accept(run);
    await writer.write({ runId, record, values: [{ key: 'k', value: SECRET }] });
    const read = (acceptPlaintext: boolean) =>
      new SealedRunStore(
        new MemoryRunStore(plain),
        new AesValueCipher({ keys: { k1 }, activeKeyId: 'k1', acceptPlaintext }),
      );
    await expect(read(false).run(runId)).rejects.toMatchObject({ code: ErrorCode.DecryptionFailed });
    await expect(read(false).turns(runId)).rejects.toMatchObject({ code: ErrorCode.DecryptionFailed });
    expect(await read(true).run(runId)).toEqual(run);
    expect(await read(true).turns(runId)).toEqual([record]);
  });

  it('cannot be moved to another run, key or turn', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 3, maxLength: 3 }),
        fc.string(),
        (ids, text) => {
          const [a = '', b = '', c = ''] = ids;
          const place = { runId: a, kind: 'output' as const, key: [b, c] };
          const sealed = old.encrypt(place, text);
          expect(old.decrypt(place, sealed)).toBe(text);
          const elsewhere = [
            { ...place, runId: c },
            { ...place, kind: 'value' as const },
            { ...place, key: [c, b] },
            { ...place, key: [b + c] },
            { ...place, key: [] },
          ];
          for (const other of elsewhere)
            expect(() => old.decrypt(other, sealed)).toThrow(
              expect.objectContaining({ code: 'FLOW_DECRYPTION_FAILED' }),
            );
        },
      ),
    );
  });

  it('cannot be changed anywhere', () => {
    const place = { runId, kind: 'value' as const, key: ['k'] };
    const sealed = old.encrypt(place, SECRET);
    const [mark, bytes] = [sealed.slice(0, 8), Buffer.from(sealed.slice(8), 'base64')];
    for (let i = 0; i < bytes.length; i++) {
      const changed = Buffer.from(bytes);
      changed[i] = (changed[i] ?? 0) ^ 1;
      expect(() => old.decrypt(place, mark + changed.toString('base64'))).toThrow('cannot be decrypted');
    }
    for (const cut of ['', 'AAAA', bytes.subarray(0, 27).toString('base64')])
      expect(() => old.decrypt(place, mark + cut)).toThrow('cannot be decrypted');
  });

  it('of any turn comes back as it was, dynamic nodes of no use included', () => {
    for (const dynamicNodes of [[], [{ id: 'a', uses: 'enc1:k1:AAAA' }]]) {
      const turn = turnRecord('b', { dynamicNodes, output: '' });
      expect(openTurn(old, runId, sealTurn(old, runId, turn))).toEqual(turn);
    }
  });
});

describe('keys', () => {
  const place = { runId: 'r', kind: 'value' as const, key: ['k'] };

  it('come from a function, at start and when an unknown one turns up', async () => {
    const keys: Record<string, string> = { k1: key() };
    let active = 'k1';
    let calls = 0;
    const provider = async () => {
      calls++;
      return { keys: { ...keys }, activeKeyId: active };
    };
    const data = new MemoryStoreData();
    const one = new SealedRunStore(new MemoryRunStore(data), new AesValueCipher(provider));
    await one.connect();
    keys['k2'] = key();
    active = 'k2';
    const two = new SealedRunStore(new MemoryRunStore(data), new AesValueCipher(provider));
    await two.connect();
    const run = runRecord();
    await two.create(run, { runId: run.runId, status: 'running', stamp: 1, at: 1 });
    expect(await Promise.all([one.run(run.runId), one.run(run.runId)])).toEqual([run, run]);
    expect(calls).toBe(3);
    await one.accept(runRecord({ runId: 'later' }));
    expect(data.runs.get('later')?.input).toMatch(/^enc1:k2:/);
  });

  it('are not asked for again and again', async () => {
    let calls = 0;
    const cipher = new AesValueCipher(() => {
      calls++;
      return { keys: { k1: key() }, activeKeyId: 'k1' };
    });
    await cipher.ready();
    await cipher.ready();
    expect(calls).toBe(1);
    for (let i = 0; i < 5; i++) await cipher.refresh();
    expect(calls).toBe(2);
  });

  it('must be there before anything is encrypted', () => {
    const cipher = new AesValueCipher(() => ({ keys: { k1: key() }, activeKeyId: 'k1' }));
    expect(() => cipher.encrypt(place, 'x')).toThrow(expect.objectContaining({ code: ErrorCode.IllegalState }));
  });

  it('that a function answers are checked, and never told', async () => {
    const bad = key().slice(2);
    const cipher = new AesValueCipher(() => ({ keys: { k1: bad }, activeKeyId: 'k2' }));
    const error = await cipher.ready().catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: ErrorCode.Configuration,
      problems: [{ path: 'encryption.keys.k1' }, { path: 'encryption.activeKeyId' }],
    });
    expect(String(error)).not.toContain(bad);
  });

  it('are not told when they stand where their ids belong', async () => {
    const secret = key();
    const cipher = new AesValueCipher(() => ({ keys: { [secret]: 'k1' }, activeKeyId: 'k1' }));
    const error = await cipher.ready().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: ErrorCode.Configuration });
    expect(JSON.stringify(error) + String(error)).not.toContain(secret);
  });

  it('may be bytes', () => {
    const bytes = randomBytes(32);
    const one = new AesValueCipher({ keys: { k: bytes }, activeKeyId: 'k' });
    const two = new AesValueCipher({ keys: { k: bytes.toString('base64') }, activeKeyId: 'k' });
    expect(two.decrypt(place, one.encrypt(place, 'x'))).toBe('x');
  });
});
