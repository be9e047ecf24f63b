/**
 * Memory for bytes on their way, used again and again: a fresh array for each read would cost more in garbage collection
 * than the copying and the encryption. A block is found by its ArrayBuffer, so that any view of it can be held and let go;
 * for other memory `hold` and `letGo` do nothing, and whoever keeps such a view keeps it alive.
 */

/** Bytes of a block with its room: four TLS records, so that a full block and its headers need no fifth. */
const MEMORY_BYTES = 65_536;
/** Bytes before each block that belong to it: room for the headers of a message, so that it goes out in one piece. */
export const BLOCK_ROOM = 64;
/** Bytes of a block. */
export const BLOCK_BYTES = MEMORY_BYTES - BLOCK_ROOM;
/** Blocks kept for later; more are left to the garbage collector. */
const MOST_FREE = 128;

interface Entry {
  readonly block: Uint8Array;
  holds: number;
}

export class BlockPool {
  readonly #entries = new WeakMap<ArrayBufferLike, Entry>();
  readonly #free: Entry[] = [];

  /** Blocks that wait to be used again. */
  get freeBlocks(): number {
    return this.#free.length;
  }

  /** A block, held once. What is in it is left over from before. */
  take(): Uint8Array {
    let entry = this.#free.pop();
    if (entry === undefined) {
      // allocUnsafeSlow: an ArrayBuffer of its own, which is what a block is known by.
      const memory = Buffer.allocUnsafeSlow(MEMORY_BYTES);
      entry = { block: new Uint8Array(memory.buffer, BLOCK_ROOM, BLOCK_BYTES), holds: 0 };
      this.#entries.set(memory.buffer, entry);
    }
    entry.holds = 1;
    return entry.block;
  }

  /** One more has to let go of the block before it is used again. */
  hold(view: Uint8Array): void {
    const entry = this.#entries.get(view.buffer);
    if (entry !== undefined) entry.holds++;
  }

  /** Undoes one `take` or `hold`. */
  letGo(view: Uint8Array): void {
    const entry = this.#entries.get(view.buffer);
    if (entry === undefined) return;
    if (--entry.holds < 0) throw new Error('a block was let go once too often');
    if (entry.holds === 0 && this.#free.length < MOST_FREE) this.#free.push(entry);
  }

  /** True when nobody but the caller holds the block. */
  isHeldOnce(view: Uint8Array): boolean {
    return this.#entries.get(view.buffer)?.holds === 1;
  }

  /** A copy that the caller holds: in a block when it fills at least half of one. */
  copy(bytes: Uint8Array): Uint8Array {
    const copy =
      bytes.length >= BLOCK_BYTES / 2 && bytes.length <= BLOCK_BYTES
        ? this.take().subarray(0, bytes.length)
        : Buffer.allocUnsafe(bytes.length);
    copy.set(bytes);
    return copy;
  }
}

/** The blocks of this process. */
export const blocks = new BlockPool();

/** A block together with the room before it. */
export function withRoom(block: Uint8Array): Uint8Array {
  return new Uint8Array(block.buffer, block.byteOffset - BLOCK_ROOM, BLOCK_ROOM + BLOCK_BYTES);
}
