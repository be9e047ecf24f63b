/**
 * Blocks that the peer has acknowledged wait here until the link is done with the writes before the acknowledgement: a
 * peer may claim to have what was not sent yet, and would be sent the bytes of another stream (ADR 0017).
 */
import { blocks } from './block-pool.js';

export class AcknowledgedBlocks {
  #waiting: { readonly chunk: Uint8Array; readonly write: number }[] = [];

  /** @param write the link's writes so far */
  add(chunk: Uint8Array, write: number): void {
    this.#waiting.push({ chunk, write });
  }

  /** @param flushed writes that the link is done with */
  letGo(flushed: number): void {
    let count = 0;
    for (const { chunk, write } of this.#waiting) {
      if (write > flushed) break;
      blocks.letGo(chunk);
      count++;
    }
    if (count > 0) this.#waiting.splice(0, count);
  }

  /** Another link comes: whatever the last one still holds is left to the garbage collector. */
  forget(): void {
    this.#waiting = [];
  }
}
