/**
 * Small pieces in one array. A piece that waits costs some 200 bytes besides its own, in the socket's queue and here: a peer
 * that sends single bytes to somebody who does not read would otherwise make us hold many times its window.
 */

/** From so many pieces on that wait, small ones are gathered. */
export const GATHER_FROM_PIECES = 64;
/** A piece from this size on is worth an array of its own. */
export const GATHERED_BYTES = 4096;

export class Gathering {
  readonly #memory = Buffer.allocUnsafeSlow(GATHERED_BYTES);
  #used = 0;

  /** What was gathered so far. */
  get bytes(): Uint8Array {
    return this.#memory.subarray(0, this.#used);
  }

  /** Copies a piece; false when there is no room for it. */
  add(piece: Uint8Array): boolean {
    if (this.#used + piece.length > GATHERED_BYTES) return false;
    this.#memory.set(piece, this.#used);
    this.#used += piece.length;
    return true;
  }
}
