/**
 * The reading half of a pipe. A socket in full flow reads into a block of its own, which is handed on as it is; all
 * others share one buffer, out of which is copied, so that a socket without traffic costs no memory.
 */
import type { Socket } from 'node:net';
import { BLOCK_BYTES, BLOCK_ROOM, blocks } from './block-pool.js';
import { readInto } from './read-into.js';

/** From this on a read is handed on in the block that it filled: at most half of the memory is empty. */
const HAND_ON_BYTES = BLOCK_BYTES / 2;
/** Room before a copied read, when it is large enough for a message of its own. */
const ROOM_FROM_BYTES = 1024;

/** Every read lands here and is copied before the next one: reads of one process never overlap. */
const shared = new Uint8Array(BLOCK_BYTES);

/**
 * Takes bytes for good: a view of a block that is held once, or memory of its own; `room` bytes directly before it
 * belong to it too. False pauses the socket.
 */
export type TakeChunk = (chunk: Uint8Array, room: number) => boolean;

/** Reads a paused socket; it flows from `socket.resume()` on. */
export function readBlocks(socket: Socket, take: TakeChunk): void {
  /** The block that the next read fills; undefined: the shared buffer. */
  let own: Uint8Array | undefined;

  const onRead = (count: number): boolean => {
    let more: boolean;
    if (own !== undefined && count >= HAND_ON_BYTES) {
      const chunk = own.subarray(0, count);
      own = blocks.take();
      more = take(chunk, BLOCK_ROOM);
    } else {
      more = copyOut((own ?? shared).subarray(0, count));
    }
    if (own !== undefined && (!more || count < HAND_ON_BYTES)) {
      blocks.letGo(own);
      own = undefined;
    }
    return more;
  };

  const copyOut = (bytes: Uint8Array): boolean => {
    if (bytes.length >= HAND_ON_BYTES) {
      own = blocks.take();
      return take(blocks.copy(bytes), BLOCK_ROOM);
    }
    const room = bytes.length < ROOM_FROM_BYTES ? 0 : BLOCK_ROOM;
    const copy = Buffer.allocUnsafe(room + bytes.length).subarray(room);
    copy.set(bytes);
    return take(copy, room);
  };

  readInto(socket, { next: () => own ?? shared, onRead });
}
