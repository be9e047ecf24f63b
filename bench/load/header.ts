/** What a client says first on each connection of the bench: what the target shall do, and the stream's number. */
export const HEADER_BYTES = 5;

export const Mode = {
  /** The target counts what comes. */
  Up: 1,
  /** The target sends until one more byte comes. */
  Down: 2,
  /** The target sends everything back. */
  Echo: 3,
} as const;
export type Mode = (typeof Mode)[keyof typeof Mode];

/** Mode and number, 5 bytes. */
export function encodeHeader(mode: Mode, id: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(mode, 0);
  header.writeUInt32BE(id, 1);
  return header;
}

/** What a sender writes again and again. Large, so that the system calls and not the callbacks cost the time. */
export const CHUNK = Buffer.alloc(256 * 1024, 0x5a);

/** How much each stream moved so far, in the order of the streams, and when that was looked at. */
export interface Mark {
  readonly atMs: number;
  readonly bytes: readonly number[];
}
