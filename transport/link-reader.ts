/**
 * The reading half of a link. A quiet link shares one buffer with all others. One in full flow has a block of its own, in
 * which the reads of one turn of the event loop lie one behind the other (TLS delivers 16 KiB at a time): they are looked at
 * together, and what the other side of the relay cannot take at once keeps its block.
 */
import type { Socket } from 'node:net';
import { blocks, withRoom } from './block-pool.js';
import { readInto } from './read-into.js';

/** What a TLS record brings at most, and the sign of a link in full flow. */
const RECORD_BYTES = 16_384;

/** Every read of a quiet link lands here, and is copied before the next one. */
const shared = new Uint8Array(RECORD_BYTES);

export class LinkReader {
  readonly #take: (bytes: Uint8Array) => void;
  /** Of a link in full flow. */
  #block: Uint8Array | undefined;
  /** What was read into the block, and how much of that was taken. */
  #filled = 0;
  #taken = 0;
  #queued = false;
  /** The last turn brought little: with the next little the flow is over. */
  #quiet = false;
  #stopped = false;
  readonly #onTurnEnd = (): void => {
    this.#queued = false;
    this.#quiet = this.#filled - this.#taken < RECORD_BYTES;
    this.#takeAll();
  };

  /**
   * Reads a paused socket; it flows from `socket.resume()` on.
   * @param take gets bytes that are valid until it returns; who needs them longer holds their block (block-pool.ts)
   */
  constructor(socket: Socket, take: (bytes: Uint8Array) => void) {
    this.#take = take;
    readInto(socket, { next: () => this.#next(), onRead: (count) => this.#onRead(count) });
  }

  /** Takes what was read and waits; nothing is taken later. */
  finish(): void {
    this.#takeAll();
    this.stop();
  }

  /** Nothing is taken any more. */
  stop(): void {
    this.#stopped = true;
    // The kernel's next read may still land in the block: it is left to the garbage collector.
    this.#block = undefined;
  }

  #next(): Uint8Array {
    return this.#block === undefined ? shared : this.#block.subarray(this.#filled);
  }

  #onRead(count: number): boolean {
    if (this.#stopped) return true;
    if (this.#block === undefined) {
      const full = count === RECORD_BYTES;
      // Whoever cannot take it at once may keep a copy, but not the shared buffer.
      this.#take(Buffer.from(shared.subarray(0, count)));
      if (full) this.#begin();
      return true;
    }
    this.#filled += count;
    if (count >= RECORD_BYTES) this.#quiet = false;
    if (this.#quiet) {
      this.#takeAll();
      this.#release();
    } else if (this.#block.length - this.#filled < RECORD_BYTES) {
      this.#takeAll();
      this.#begin();
    } else if (!this.#queued) {
      this.#queued = true;
      setImmediate(this.#onTurnEnd);
    }
    return true;
  }

  #takeAll(): void {
    const block = this.#block;
    if (block === undefined || this.#taken === this.#filled) return;
    const bytes = block.subarray(this.#taken, this.#filled);
    this.#taken = this.#filled;
    this.#take(bytes);
  }

  /** A block from its beginning: the same one, unless somebody still needs what is in it. */
  #begin(): void {
    this.#filled = this.#taken = 0;
    if (this.#stopped) return;
    if (this.#block !== undefined && blocks.isHeldOnce(this.#block)) return;
    this.#release();
    this.#block = withRoom(blocks.take());
  }

  #release(): void {
    if (this.#block === undefined) return;
    blocks.letGo(this.#block);
    this.#block = undefined;
    this.#filled = this.#taken = 0;
  }
}
