/** What a session tells its owner, in the order in which it happened. */
import type { RstReason } from '../wire/constants.js';
import type { Cid } from '../wire/frame.js';

export type SessionEvent =
  /** The peer opened a stream: answer with accept or reset. */
  | { readonly type: 'open'; readonly cid: Cid; readonly connector: string; readonly client: string }
  /** Our OPEN was answered: the target is connected. */
  | { readonly type: 'opened'; readonly cid: Cid }
  /** Bytes for the destination; a view of what `receive` was given. Answer with consumed once they are flushed. */
  | { readonly type: 'data'; readonly cid: Cid; readonly bytes: Uint8Array }
  /** The peer's direction ended cleanly. Answer with consumed(cid, 1) once the destination has its FIN. */
  | { readonly type: 'finished'; readonly cid: Cid }
  /** The stream ended by RST, ours or the peer's, or with the session. */
  | {
      readonly type: 'reset';
      readonly cid: Cid;
      readonly reason: RstReason;
      /** Who ended it. */
      readonly by: 'peer' | 'session';
      /** Surely nothing reached a target, and `unacknowledged` is all that was written. */
      readonly beforeOpened: boolean;
      readonly unacknowledged: readonly Uint8Array[];
    }
  /** Both directions ended cleanly; nothing of the stream is left. */
  | { readonly type: 'closed'; readonly cid: Cid }
  /** There is room again, after a write that left none. */
  | { readonly type: 'writable'; readonly cid: Cid }
  /** The peer takes no new streams; running ones may go on for `graceMs`. */
  | { readonly type: 'goaway'; readonly code: number; readonly graceMs: number }
  | { readonly type: 'roundTrip'; readonly ms: number }
  | { readonly type: 'reauth'; readonly token: string }
  /** The link is silent for too long: drop it. */
  | { readonly type: 'linkDead' }
  /** The link is lost; the streams wait for another one until the grace is over. */
  | { readonly type: 'suspended'; readonly message: string }
  /** The session goes on over a new link: both tables are exchanged. */
  | { readonly type: 'resumed'; readonly suspendedMs: number }
  /** The session is over; its streams were reset before. */
  | {
      readonly type: 'ended';
      /** A close code (§9.1), or that of the link whose loss ended it: 1006 when it just broke. */
      readonly code: number;
      readonly message: string;
      readonly by: 'us' | 'peer';
    };

/** Counts since the session began; they only grow. */
export interface SessionCounters {
  finSent: number;
  finReceived: number;
  rstSent: number;
  rstReceived: number;
  lateFrames: number;
  replayedBytes: number;
}

export function noCounts(): SessionCounters {
  return { finSent: 0, finReceived: 0, rstSent: 0, rstReceived: 0, lateFrames: 0, replayedBytes: 0 };
}
