/** Writes the same chunk to one socket for as long as it is asked to, one write at a time. */
import { CHUNK } from './header.js';
import type { RawSocket } from './raw-tcp.js';

export class Flood {
  /** Bytes written; the last chunk counts when it is in the kernel. */
  written = 0;
  readonly #socket: RawSocket;
  #stopped = false;
  #busy = false;
  #onIdle: (() => void) | undefined;
  readonly #next = (): void => {
    if (this.#stopped || this.#socket.closed) {
      this.#busy = false;
      this.#onIdle?.();
      return;
    }
    this.#busy = true;
    if (this.#socket.write(CHUNK, this.#written)) {
      this.written += CHUNK.length;
      // The other sockets get their turn, and the worker hears its orders.
      setImmediate(this.#next);
    }
  };
  readonly #written = (): void => {
    this.written += CHUNK.length;
    this.#next();
  };

  constructor(socket: RawSocket) {
    this.#socket = socket;
    this.#next();
  }

  /** FIN after the write that is under way; `onEnd` gets to know how much was written in all. */
  finish(onEnd: (written: number) => void): void {
    this.#stopped = true;
    this.#onIdle = () => {
      this.#onIdle = undefined;
      this.#socket.end();
      onEnd(this.written);
    };
    if (!this.#busy) this.#onIdle();
  }
}
