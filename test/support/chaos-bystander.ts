/** A stream that has nothing to do with the fault of a test, and must not notice it. */
import type { Socket } from 'node:net';
import { KeyedSource, KeyedVerifier, newKey } from './keyed-stream.js';
import { connectTo } from './tcp-client.js';
import { within } from './wait-for.js';

const CHUNK_BYTES = 4096;
const EVERY_MS = 20;

export interface BystanderReport {
  readonly bytes: number;
  /** Longest time between a chunk that was sent and the next byte that came, in milliseconds. */
  readonly longestGapMs: number;
}

/** Talks to an echo from its start to its end, however short that is, and checks every byte that comes back. */
export class Bystander {
  readonly #socket: Socket;
  readonly #source: KeyedSource;
  readonly #verifier: KeyedVerifier;
  readonly #timer: NodeJS.Timeout;
  readonly #ended: Promise<void>;
  #sent = 0;
  #longestGapMs = 0;
  /** Since when an answer has been due. */
  #waitingSince: number | undefined;

  constructor(socket: Socket) {
    const key = newKey();
    this.#socket = socket;
    this.#source = new KeyedSource(key, Number.MAX_SAFE_INTEGER);
    this.#verifier = new KeyedVerifier(key);
    this.#ended = new Promise((resolve, reject) => {
      socket.on('data', (bytes: Buffer) => {
        try {
          this.#onData(bytes);
        } catch (error) {
          socket.destroy(error as Error);
        }
      });
      socket.once('end', resolve);
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('closed without FIN')));
    });
    this.#ended.catch(() => {
      // Looked at in `finish`.
    });
    this.#send();
    this.#timer = setInterval(() => this.#send(), EVERY_MS);
  }

  #send(): void {
    const chunk = this.#source.next(CHUNK_BYTES);
    if (chunk === undefined || this.#socket.destroyed) return;
    this.#sent += chunk.length;
    this.#waitingSince ??= performance.now();
    this.#socket.write(chunk);
  }

  #onData(bytes: Buffer): void {
    this.#verifier.check(bytes);
    const now = performance.now();
    this.#longestGapMs = Math.max(this.#longestGapMs, now - (this.#waitingSince ?? now));
    this.#waitingSince = this.#verifier.offset === this.#sent ? undefined : now;
  }

  /**
   * Says a last word, and ends the stream.
   * @throws when a byte was wrong or missing, or when it did not end with FIN
   */
  async finish(timeoutMs = 10_000): Promise<BystanderReport> {
    clearInterval(this.#timer);
    this.#send();
    this.#socket.end();
    try {
      await within(timeoutMs, 'the bystander to end', this.#ended);
    } finally {
      this.#socket.destroy();
    }
    if (this.#verifier.offset !== this.#sent || this.#verifier.digest() !== this.#source.digest()) {
      throw new Error(`the bystander sent ${this.#sent} bytes and got ${this.#verifier.offset}`);
    }
    return { bytes: this.#sent, longestGapMs: this.#longestGapMs };
  }
}

/** Starts one on a listener whose target is an echo. */
export async function startBystander(port: number): Promise<Bystander> {
  return new Bystander(await connectTo(port));
}
