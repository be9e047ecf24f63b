/**
 * Test data that proves itself: a key names an endless pseudo-random byte stream (AES-128-CTR of zeros). Both ends
 * can make it, so a reader knows at once which byte is the first wrong one, and two streams never look
 * alike, so bytes that strayed into another stream are seen.
 */
import { createCipheriv, createHash, randomBytes, type Cipher, type Hash } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';

export const KEY_BYTES = 16;
const CHUNK_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(CHUNK_BYTES);

export function newKey(): Buffer {
  return randomBytes(KEY_BYTES);
}

/** A cipher that gives the stream's bytes, one call of update after the other. */
function cipherOf(key: Buffer): Cipher {
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(KEY_BYTES));
}

/** Gives a stream's bytes in order, in chunks, until `total`, and digests them on the way. */
export class KeyedSource {
  readonly #cipher: Cipher;
  readonly #hash: Hash = createHash('sha256');
  #left: number;

  constructor(key: Buffer, total: number) {
    this.#cipher = cipherOf(key);
    this.#left = total;
  }

  /** The next chunk, at most `max` bytes; undefined at the end. */
  next(max = CHUNK_BYTES): Buffer | undefined {
    const length = Math.min(this.#left, max, CHUNK_BYTES);
    if (length === 0) return undefined;
    this.#left -= length;
    const chunk = this.#cipher.update(ZEROS.subarray(0, length));
    this.#hash.update(chunk);
    return chunk;
  }

  /** SHA-256 of all bytes given; call it once, at the end. */
  digest(): string {
    return this.#hash.digest('hex');
  }
}

/** Compares what arrives with the key's stream, byte by byte. */
export class KeyedVerifier {
  readonly #cipher: Cipher;
  readonly #hash: Hash = createHash('sha256');
  #offset = 0;

  constructor(key: Buffer) {
    this.#cipher = cipherOf(key);
  }

  /** Bytes that arrived so far, all of them right. */
  get offset(): number {
    return this.#offset;
  }

  /** Takes the next bytes; throws with the offset of the first wrong one. */
  check(bytes: Buffer): void {
    this.#hash.update(bytes);
    for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
      const part = bytes.subarray(start, start + CHUNK_BYTES);
      const expected = this.#cipher.update(ZEROS.subarray(0, part.length));
      if (!part.equals(expected)) {
        const wrong = part.findIndex((byte, index) => byte !== expected[index]);
        throw new Error(`wrong byte at offset ${this.#offset + wrong}`);
      }
      this.#offset += part.length;
    }
  }

  /** SHA-256 of all bytes taken; call it once, at the end. */
  digest(): string {
    return this.#hash.digest('hex');
  }
}

/**
 * Writes `total` bytes of the key's stream to a socket as fast as it takes them; does not end it.
 * @returns the SHA-256 of what was written
 * @throws the socket's error, or "closed" when it went away without one
 */
export async function sendKeyed(socket: Socket, key: Buffer, total: number): Promise<string> {
  const source = new KeyedSource(key, total);
  for (let chunk = source.next(); chunk; chunk = source.next()) {
    if (socket.destroyed) throw socket.errored ?? new Error('closed');
    if (!socket.write(chunk)) await drained(socket);
  }
  return source.digest();
}

async function drained(socket: Socket): Promise<void> {
  const closed = new AbortController();
  const onClose = (): void => closed.abort();
  socket.once('close', onClose);
  try {
    await once(socket, 'drain', { signal: closed.signal });
  } catch (error) {
    throw socket.errored ?? (closed.signal.aborted ? new Error('closed') : error);
  } finally {
    socket.off('close', onClose);
  }
}

/**
 * Reads a socket to its FIN and checks every byte.
 * @returns how many bytes came and their SHA-256
 * @throws on the first wrong byte, on the socket's error, on an end without FIN
 */
export function receiveKeyed(socket: Socket, key: Buffer): Promise<{ bytes: number; sha256: string }> {
  const verifier = new KeyedVerifier(key);
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      try {
        verifier.check(chunk);
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.once('end', () => resolve({ bytes: verifier.offset, sha256: verifier.digest() }));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`closed without FIN after ${verifier.offset} bytes`)));
  });
}
