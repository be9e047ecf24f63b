/** Messages of a session for tests: as one array, and out of one. */
import type { Transmit } from '../../protocol/index.js';

/** A copy of the whole message. */
export function bytesOf({ bytes, tail }: Transmit): Buffer {
  return Buffer.concat(tail === undefined ? [bytes] : [bytes, tail]);
}

/** A message with no room before it. */
export function messageOf(bytes: Uint8Array | string): Transmit {
  return { bytes: Buffer.from(bytes), room: 0, tail: undefined };
}
