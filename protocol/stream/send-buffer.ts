/**
 * The bytes of one direction from "written by the owner" to "acknowledged by the peer": send queue and replay
 * buffer in one, so that `acknowledged ≤ sent ≤ written` holds by construction. Offsets are absolute.
 */

/** Below this a piece is worth joining with the ones behind it, so that many small writes make few frames. */
const JOIN_BELOW_BYTES = 4096;
const JOINED_BYTES = 16_384;
/** Released slots at the head of the list before it is cut. */
const COMPACT_AFTER = 64;
/** Room before pieces that are joined here, for the headers of a message. */
const JOINED_ROOM = 64;
/** From so many arrays on what is written is gathered: an array of one byte costs as much memory as 150 bytes more. */
const GATHER_FROM_CHUNKS = 16;
const GATHERED_BYTES = 4096;

/** Bytes to send; `room` bytes directly before them in the same memory are free, once. */
export interface Piece {
  readonly bytes: Uint8Array;
  room: number;
}

interface Chunk extends Piece {
  bytes: Uint8Array;
  /** Bytes directly behind it in the same memory into which more may be written. */
  spare: number;
}

/** Told of each array that was written and is needed no more, but for small ones that were copied. */
export type Release = (chunk: Uint8Array) => void;

export class SendBuffer {
  #chunks: Chunk[] = [];
  /** First chunk that holds an unacknowledged byte, and how many bytes of it are acknowledged. */
  #head = 0;
  #headOffset = 0;
  /** Chunk of the next byte to send, and how many bytes of it were sent. */
  #cursor = 0;
  #cursorOffset = 0;
  #acknowledged = 0;
  #sent = 0;
  #written = 0;

  get acknowledged(): number {
    return this.#acknowledged;
  }
  get sent(): number {
    return this.#sent;
  }
  get written(): number {
    return this.#written;
  }
  /** Bytes kept in memory. */
  get held(): number {
    return this.#written - this.#acknowledged;
  }
  get unsent(): number {
    return this.#written - this.#sent;
  }

  /** Appends bytes; the buffer keeps the array, so the caller must not change it, nor the `room` bytes before it. */
  write(bytes: Uint8Array, room = 0): void {
    if (bytes.length === 0) return;
    this.#written += bytes.length;
    if (bytes.length < GATHERED_BYTES && this.#chunks.length - this.#head >= GATHER_FROM_CHUNKS) {
      this.#gather(bytes);
    } else this.#chunks.push({ bytes, room, spare: 0 });
  }

  /** Copies small bytes behind the last ones, or into an array that takes more. */
  #gather(bytes: Uint8Array): void {
    const last = this.#chunks.length - 1;
    const chunk = this.#chunk(last);
    if (chunk.spare < bytes.length) {
      const memory = new Uint8Array(GATHERED_BYTES);
      memory.set(bytes);
      const spare = GATHERED_BYTES - bytes.length;
      this.#chunks.push({ bytes: memory.subarray(0, bytes.length), room: 0, spare });
      return;
    }
    const before = chunk.bytes.length;
    // All of it was sent: what is added comes next.
    if (this.#cursor > last) {
      this.#cursor = last;
      this.#cursorOffset = before;
    }
    chunk.bytes = new Uint8Array(chunk.bytes.buffer, 0, before + bytes.length);
    chunk.bytes.set(bytes, before);
    chunk.spare -= bytes.length;
  }

  /**
   * The next bytes to send, at most `most` (> 0), and counts them as sent. Empty when nothing is unsent.
   * Usually a view of what was written; small neighbours are joined into a new array.
   */
  take(most: number): Piece {
    const first = this.#chunk(this.#cursor);
    if (first.bytes.length === 0) return first;
    const left = first.bytes.length - this.#cursorOffset;
    if (left >= JOIN_BELOW_BYTES || left >= most || left === this.unsent) {
      return this.#advance(first, Math.min(left, most));
    }
    const joined = new Uint8Array(JOINED_ROOM + Math.min(most, this.unsent, JOINED_BYTES));
    for (let filled = JOINED_ROOM; filled < joined.length;) {
      const chunk = this.#chunk(this.#cursor);
      const chunkLeft = chunk.bytes.length - this.#cursorOffset;
      const { bytes } = this.#advance(chunk, Math.min(chunkLeft, joined.length - filled));
      joined.set(bytes, filled);
      filled += bytes.length;
    }
    return { bytes: joined.subarray(JOINED_ROOM), room: JOINED_ROOM };
  }

  /** Empty behind the last one; no chunk in the list is. */
  #chunk(index: number): Chunk {
    return this.#chunks[index] ?? EMPTY;
  }

  #advance(chunk: Chunk, count: number): Piece {
    const bytes = chunk.bytes.subarray(this.#cursorOffset, this.#cursorOffset + count);
    const piece = { bytes, room: this.#cursorOffset === 0 ? chunk.room : 0 };
    // Sent again, it may lie in the queue of a link that is gone: nobody writes there twice.
    chunk.room = 0;
    this.#sent += count;
    this.#cursorOffset += count;
    if (this.#cursorOffset === chunk.bytes.length) {
      this.#cursor++;
      this.#cursorOffset = 0;
    }
    return piece;
  }

  /** Drops everything below `offset`, which must lie in acknowledged..sent; returns the bytes freed. */
  acknowledge(offset: number, release?: Release): number {
    const freed = offset - this.#acknowledged;
    let left = freed;
    while (left > 0) {
      const { bytes } = this.#chunk(this.#head);
      const rest = bytes.length - this.#headOffset;
      if (left < rest) {
        this.#headOffset += left;
        break;
      }
      left -= rest;
      release?.(bytes);
      this.#chunks[this.#head++] = EMPTY;
      this.#headOffset = 0;
    }
    this.#acknowledged = offset;
    this.#compact();
    return freed;
  }

  #compact(): void {
    if (this.#head < COMPACT_AFTER && this.#head !== this.#chunks.length) return;
    this.#chunks.splice(0, this.#head);
    this.#cursor -= this.#head;
    this.#head = 0;
  }

  /** Goes back, so that the next byte to send is `offset`, which must lie in acknowledged..sent. Returns the bytes to replay. */
  rewind(offset: number): number {
    const replayed = this.#sent - offset;
    this.#cursor = this.#head;
    this.#cursorOffset = this.#headOffset;
    this.#sent = this.#acknowledged;
    while (this.#sent < offset) {
      const chunk = this.#chunk(this.#cursor);
      this.#advance(chunk, Math.min(chunk.bytes.length - this.#cursorOffset, offset - this.#sent));
    }
    return replayed;
  }

  /** Everything not acknowledged, in order; the buffer forgets it. */
  drain(): Uint8Array[] {
    const rest = this.#chunks.slice(this.#head).map(({ bytes }) => bytes);
    if (rest[0] !== undefined) rest[0] = rest[0].subarray(this.#headOffset);
    this.#chunks = [];
    this.#head = this.#headOffset = this.#cursor = this.#cursorOffset = 0;
    this.#acknowledged = this.#sent = this.#written;
    return rest;
  }
}

const EMPTY: Chunk = { bytes: new Uint8Array(0), room: 0, spare: 0 };
