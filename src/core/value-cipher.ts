import { EncryptionKeyUnknownError } from './encryption-errors.js';

/** Where a text is stored. A text that was encrypted for one place can't be read in another. */
export interface Cell {
  readonly runId: string;
  readonly kind:
    'input' | 'inputHash' | 'value' | 'output' | 'error' | 'cause' | 'nodes' | 'result' | 'reason' | 'end' | 'call';
  /** What tells it from others of its kind in the run. */
  readonly key?: readonly string[];
}

/** Encrypts what is stored. The same text for the same place gives the same result, so that writes can be repeated. */
export interface ValueCipher {
  /** False: everything is stored as it is. */
  readonly isOn: boolean;
  /** Resolves when the keys are there. Must come first. */
  ready(): Promise<void>;
  encrypt(cell: Cell, text: string): string;
  /**
   * @throws EncryptionKeyUnknownError
   * @throws DecryptionFailedError if the text was changed, or belongs to another place
   */
  decrypt(cell: Cell, text: string): string;
  /** Looks for keys that were unknown, if there is a way to learn of any. */
  refresh(): Promise<void>;
}

const MARKED = /^enc1:([A-Za-z0-9_.-]{1,64}):/;

/** What an encrypted text begins with; no text of a serializer does. */
export function cipherMark(keyId: string): string {
  return `enc1:${keyId}:`;
}

/** The key that a text is encrypted with; undefined for one that is not. */
export function keyIdOf(text: string): string | undefined {
  return MARKED.exec(text)?.[1];
}

/** Stores everything as it is, and says so clearly when it meets what was encrypted. */
export const NO_CIPHER: ValueCipher = {
  isOn: false,
  ready: async () => undefined,
  encrypt: (_cell, text) => text,
  decrypt: ({ runId }, text) => {
    const keyId = text.startsWith('enc1:') ? keyIdOf(text) : undefined;
    if (keyId !== undefined) throw new EncryptionKeyUnknownError(keyId, [], { runId });
    return text;
  },
  refresh: async () => undefined,
};

/** Reads what is encrypted; once more if a key was unknown and keys have come since. */
export async function reading<T>(cipher: ValueCipher, read: () => T): Promise<T> {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof EncryptionKeyUnknownError)) throw error;
    await cipher.refresh();
    return read();
  }
}
