/** A stream to an echo that speaks when it is told to, and checks that every byte comes back. */
import type { Socket } from 'node:net';
import { KeyedSource, KeyedVerifier, newKey } from './keyed-stream.js';
import { connectTo, readToEnd } from './tcp-client.js';
import { waitFor } from './wait-for.js';

export class KeyedEcho {
  readonly #socket: Socket;
  readonly #source: KeyedSource;
  readonly #verifier: KeyedVerifier;
  #sent = 0;
  #wrong: Error | undefined;

  constructor(socket: Socket) {
    const key = newKey();
    this.#socket = socket;
    this.#source = new KeyedSource(key, Number.MAX_SAFE_INTEGER);
    this.#verifier = new KeyedVerifier(key);
    socket.on('data', (bytes: Buffer) => {
      try {
        this.#verifier.check(bytes);
      } catch (error) {
        this.#wrong = error as Error;
        socket.destroy();
      }
    });
  }

  /** Sends the next bytes of the stream. */
  say(bytes: number): void {
    const chunk = this.#source.next(bytes);
    if (chunk?.length !== bytes) throw new Error(`${bytes} bytes are more than one chunk`);
    this.#sent += bytes;
    this.#socket.write(chunk);
  }

  /** Waits until everything that was said has come back. Throws on a wrong byte. */
  async heard(timeoutMs: number): Promise<void> {
    await waitFor(
      `${this.#sent} bytes to come back`,
      () => {
        if (this.#wrong !== undefined) return true;
        if (this.#verifier.offset === this.#sent) return true;
        throw new Error(`${this.#verifier.offset} came`);
      },
      { timeoutMs, intervalMs: 2 },
    );
    if (this.#wrong !== undefined) throw this.#wrong;
  }

  /** FIN, and what came back: SHA-256 equal, FIN behind the last byte. */
  async finish(): Promise<void> {
    const ending = readToEnd(this.#socket);
    this.#socket.end();
    const { how } = await ending;
    if (this.#wrong !== undefined) throw this.#wrong;
    if (how !== 'FIN') throw new Error(`the stream ended with ${how}`);
    if (this.#verifier.digest() !== this.#source.digest()) throw new Error('SHA-256 differs');
  }
}

export async function startKeyedEcho(port: number): Promise<KeyedEcho> {
  return new KeyedEcho(await connectTo(port));
}
