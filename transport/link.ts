/** What the pump needs of a tunnel: messages out, bytes in, and one end. `websocket/` has the one there is. */
import type { Transmit } from '../protocol/index.js';

/** How a link ended: a close code of the peer's, or 1006 when the connection just broke (RFC 6455 §7.1.5). */
export interface LinkEnd {
  readonly code: number;
  /** In words, for logs; from outside, so not to be trusted. */
  readonly reason: string;
}

export interface LinkHandlers {
  /** Bytes of a message, in order. Valid until this returns: who needs them longer holds their block, or copies. */
  onBytes(bytes: Uint8Array): void;
  /** The message that `onBytes` gave is complete. */
  onMessageEnd(): void;
  /** `writable` is true again. */
  onWritable(): void;
  /** Called once; nothing follows. */
  onEnd(end: LinkEnd): void;
}

export interface Link {
  /** False while enough is queued: the scheduler decides what goes next, not the socket's buffer. */
  readonly writable: boolean;
  /** Bytes handed over and not yet in the kernel. */
  readonly bufferedBytes: number;
  /** Writes so far, and how many of them the link is done with: the memory of those may be used again. */
  readonly startedWrites: number;
  readonly flushedWrites: number;
  /** Address of the other end, for logs. */
  readonly remoteAddress: string;
  /** Resolves when the connection is gone. */
  readonly ended: Promise<void>;
  /** Begins to deliver; what arrived before is delivered first. */
  start(handlers: LinkHandlers): void;
  /** Sends one message; may write its header into the room before it. */
  send(message: Transmit): void;
  /** Closes with a code after what was sent; gives the peer a short time to answer. */
  close(code: number, reason: string): void;
  /** Drops the connection now. */
  terminate(): void;
}
