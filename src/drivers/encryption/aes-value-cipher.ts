import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { DecryptionFailedError, EncryptionKeyUnknownError } from '../../core/encryption-errors.js';
import { cipherMark, keyIdOf, NO_CIPHER, type Cell, type ValueCipher } from '../../core/value-cipher.js';
import { EncryptionKeys, type EncryptionSource } from './encryption-keys.js';

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const RUNS_KEPT = 5_000;

interface RunKeys {
  readonly encryption: Buffer;
  readonly nonces: Buffer;
}

/**
 * AES-256-GCM with keys of its own for each run, derived from the active key. The nonce is a keyed hash of the place and
 * the text: equal writes are equal bytes, as the store wants it of writes that are repeated, and no nonce comes twice
 * with another text. The place is authenticated, so that rows can't be swapped.
 */
export class AesValueCipher implements ValueCipher {
  readonly isOn = true;
  readonly #keys: EncryptionKeys;
  readonly #runKeys = new LRUCache<string, RunKeys>({ max: RUNS_KEPT });

  /** @throws ConfigurationError */
  constructor(source: EncryptionSource) {
    this.#keys = new EncryptionKeys(source);
  }

  ready(): Promise<void> {
    return this.#keys.ready();
  }

  refresh(): Promise<void> {
    return this.#keys.refresh();
  }

  encrypt(cell: Cell, text: string): string {
    const { activeKeyId } = this.#keys;
    const keys = this.keysOf(activeKeyId, cell.runId);
    const place = placeOf(cell);
    const nonce = createHmac('sha256', keys.nonces).update(place).update(text).digest().subarray(0, NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, keys.encryption, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(place);
    const bytes = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return cipherMark(activeKeyId) + bytes.toString('base64');
  }

  decrypt(cell: Cell, text: string): string {
    const keyId = keyIdOf(text);
    const { runId } = cell;
    if (keyId === undefined) {
      if (this.#keys.acceptPlaintext) return text;
      throw new DecryptionFailedError(
        cell.kind,
        'is not encrypted. Set encryption.acceptPlaintext to true for as long as there are runs from before.',
        { runId },
      );
    }
    const bytes = Buffer.from(text.slice(cipherMark(keyId).length), 'base64');
    const end = bytes.byteLength - TAG_BYTES;
    const keys = this.keysOf(keyId, runId);
    try {
      const decipher = createDecipheriv(ALGORITHM, keys.encryption, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(placeOf(cell));
      decipher.setAuthTag(bytes.subarray(Math.max(NONCE_BYTES, end)));
      return decipher.update(bytes.subarray(NONCE_BYTES, end), undefined, 'utf8') + decipher.final('utf8');
    } catch (cause) {
      throw new DecryptionFailedError(
        cell.kind,
        `cannot be decrypted with the key '${keyId}': it was changed or moved from elsewhere, or the key is another one under the same id.`,
        { runId, cause },
      );
    }
  }

  private keysOf(keyId: string, runId: string): RunKeys {
    const master = this.#keys.find(keyId);
    if (!master) throw new EncryptionKeyUnknownError(keyId, this.#keys.ids, { runId });
    const name = `${keyId}\u001f${runId}`;
    const known = this.#runKeys.get(name);
    if (known) return known;
    const derive = (purpose: string) => createHmac('sha256', master).update(`${purpose}\u001f${runId}`).digest();
    const keys = { encryption: derive('encryption'), nonces: derive('nonces') };
    this.#runKeys.set(name, keys);
    return keys;
  }
}

/** @throws ConfigurationError */
export function createValueCipher(source: EncryptionSource | undefined): ValueCipher {
  return source === undefined ? NO_CIPHER : new AesValueCipher(source);
}

/** Unambiguous, whatever ids and keys hold. */
function placeOf({ runId, kind, key = [] }: Cell): Buffer {
  return Buffer.from(JSON.stringify([runId, kind, ...key]) + '\n');
}
