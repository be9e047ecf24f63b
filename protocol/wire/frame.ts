/** Frames are data: one variant per type of docs/reference/wire-protocol.md §4. */
import type { FrameType, RstReason } from './constants.js';
import type { Hello, HelloAck } from './hello.js';

/** Stream id: 1..2^32-1, even when the hub opened the stream, odd when the agent did; 0 is the session itself. */
export type Cid = number;

export interface OpenFrame {
  readonly type: typeof FrameType.Open;
  readonly cid: Cid;
  readonly connector: string;
  /** Address of the client as text, `10.0.0.7:51234` or `[2001:db8::7]:51234`; for logs only. */
  readonly client: string;
  /** Highest offset that the acceptor may send before the first CREDIT, in bytes. */
  readonly window: number;
}

export interface DataFrame {
  readonly type: typeof FrameType.Data;
  readonly cid: Cid;
  /** Absolute offset of the payload's first byte in its direction. */
  readonly seq: number;
  readonly payload: Uint8Array;
}

export interface CreditFrame {
  readonly type: typeof FrameType.Credit;
  readonly cid: Cid;
  /** Bytes flushed into the destination socket; one more when the FIN took effect there. */
  readonly consumed: number;
  /** Highest offset that the peer may send. */
  readonly limit: number;
}

/** One row of the stream table that both sides exchange at a resume (§7.4); cid 0 ends the table. */
export interface SyncFrame {
  readonly type: typeof FrameType.Sync;
  readonly cid: Cid;
  /** The stream was answered with OPENED. */
  readonly opened: boolean;
  /** The stream is over on the sender's side: `reason` says how (undefined = both directions finished). */
  readonly closed: boolean;
  readonly reason: RstReason | undefined;
  /** Next offset expected from the peer (FIN counts one). With cid 0: highest cid seen that the peer opened. */
  readonly received: number;
  readonly consumed: number;
  readonly limit: number;
}

export type Frame =
  | { readonly type: typeof FrameType.Hello; readonly hello: Hello }
  | { readonly type: typeof FrameType.HelloAck; readonly ack: HelloAck }
  | OpenFrame
  | { readonly type: typeof FrameType.Opened; readonly cid: Cid; readonly window: number }
  | DataFrame
  | { readonly type: typeof FrameType.Fin; readonly cid: Cid; readonly seq: number }
  | CreditFrame
  | { readonly type: typeof FrameType.Rst; readonly cid: Cid; readonly reason: RstReason }
  | { readonly type: typeof FrameType.Ping; readonly nonce: Uint8Array }
  | { readonly type: typeof FrameType.Pong; readonly nonce: Uint8Array }
  | {
      readonly type: typeof FrameType.Goaway;
      /** Close code that will end the session, for the reason (4503 draining, 1000 roll to a fresh session). */
      readonly code: number;
      /** How long streams may go on, in milliseconds. */
      readonly graceMs: number;
    }
  | { readonly type: typeof FrameType.Reauth; readonly token: string }
  | { readonly type: typeof FrameType.Diag; readonly text: string }
  | SyncFrame;
