/**
 * The exchange of stream tables when a session goes on over a new link (wire-protocol.md §7.4): each side tells what it
 * has received and which streams are over, and then sends again from the first byte that the other one misses.
 */
import { SessionError } from '../errors.js';
import type { Stream } from '../stream/stream.js';
import { CloseCode, FrameType } from '../wire/constants.js';
import { encodeFrame } from '../wire/encode.js';
import type { Cid, SyncFrame } from '../wire/frame.js';
import type { SessionCounters, SessionEvent } from './events.js';
import type { Transmit } from './outbox.js';
import type { StreamSet } from './stream-set.js';

/** Rows in one message. */
const ROWS_PER_MESSAGE = 400;
/** Rows of a table beyond the live streams: the tombstones that a peer may keep. */
const SPARE_ROWS = 70_000;

export class ResumeExchange {
  readonly #streams: StreamSet;
  readonly #counters: SessionCounters;
  readonly #emit: (event: SessionEvent) => void;
  readonly #mostRows: number;
  /** Our table, as far as it is not sent. */
  #toSend: SyncFrame[];
  readonly #peerRows = new Map<Cid, SyncFrame>();

  /** Takes a picture of our streams: from now on the peer's numbers count. */
  constructor(
    streams: StreamSet,
    maxStreams: number,
    counters: SessionCounters,
    emit: (event: SessionEvent) => void,
  ) {
    this.#streams = streams;
    this.#counters = counters;
    this.#emit = emit;
    this.#mostRows = maxStreams + SPARE_ROWS;
    this.#toSend = this.#table();
  }

  #table(): SyncFrame[] {
    const { table, tombstones, outbox } = this.#streams;
    // What waited for the old link is said by the table instead.
    outbox.clear();
    const rows: SyncFrame[] = [];
    for (const [cid, { opened, reason }] of tombstones.entries()) {
      rows.push({ ...END_ROW, cid, opened, closed: true, reason });
    }
    for (const stream of [...table.values()]) {
      const { received } = stream.receive;
      const { consumed, limit } = this.#streams.grant(stream);
      const opened = stream.openState === 'open';
      rows.push({ ...END_ROW, cid: stream.cid, opened, received, consumed, limit });
    }
    rows.push({ ...END_ROW, received: table.highestPeer, consumed: rows.length });
    return rows;
  }

  /** The next message of our table. */
  poll(): Transmit | undefined {
    if (this.#toSend.length === 0) return undefined;
    const frames = this.#toSend.slice(0, ROWS_PER_MESSAGE).map((row) => encodeFrame(row));
    this.#toSend = this.#toSend.slice(ROWS_PER_MESSAGE);
    const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, 0));
    let at = 0;
    for (const frame of frames) {
      bytes.set(frame, at);
      at += frame.length;
    }
    return { bytes, room: 0, tail: undefined };
  }

  /** Takes a row of the peer's table; true when the table is complete. Throws SessionError 4400. */
  row(row: SyncFrame): boolean {
    if (row.cid !== 0) {
      if (this.#peerRows.has(row.cid) || this.#peerRows.size >= this.#mostRows) {
        throw new SessionError(CloseCode.Protocol, 'the stream table has a row twice, or too many');
      }
      this.#peerRows.set(row.cid, row);
      return false;
    }
    if (row.consumed !== this.#peerRows.size) {
      throw new SessionError(
        CloseCode.Protocol,
        'the stream table does not have the rows that its end counts',
      );
    }
    this.#reconcile(row.received);
    return true;
  }

  #reconcile(highestSeen: Cid): void {
    const { table, outbox } = this.#streams;
    // A stream that the peer has not heard of begins with its OPEN, not with what else waits for it.
    const unheard = (cid: Cid): boolean => table.isOwn(cid) && cid > highestSeen;
    outbox.keep((cid) => !unheard(cid));
    for (const stream of [...table.values()]) {
      const row = this.#peerRows.get(stream.cid);
      if (row !== undefined) this.#align(stream, row);
      else if (unheard(stream.cid)) {
        this.#streams.announce(stream);
        this.#sendAgain(stream, 0);
      } else this.#streams.lose(stream, 'tunnel_lost');
    }
  }

  #align(stream: Stream, row: SyncFrame): void {
    const { buffer } = stream;
    // First of all: what ends behind OPENED may have reached a target, and is not to be tried again elsewhere.
    if (row.opened && stream.openState === 'opening') {
      stream.tryOpen('opened');
      this.#emit({ type: 'opened', cid: stream.cid });
    }
    if (row.closed && row.reason !== undefined) {
      this.#streams.resetStream(stream, row.reason, 'peer');
      return;
    }
    // Over at the peer and no reason: it has had everything, and everything of its own has reached us.
    const end = buffer.written + 1;
    const [consumed, received] = row.closed ? [end, end] : [row.consumed, row.received];
    const known = stream.finSent ? end : buffer.sent;
    const legal = buffer.acknowledged <= consumed && consumed <= received && received <= known;
    if (!legal || (row.closed && stream.receiveState !== 'done')) {
      this.#streams.resetStream(stream, 'protocol_error', 'session');
      return;
    }
    this.#streams.memory.addSend(-stream.onCredit(consumed, row.limit, this.#streams.release));
    this.#sendAgain(stream, received);
    this.#streams.settle(stream);
  }

  /** Everything from offset `from` on goes out (again). */
  #sendAgain(stream: Stream, from: number): void {
    const { buffer } = stream;
    this.#counters.replayedBytes += buffer.rewind(Math.min(from, buffer.written));
    stream.finSent = from > buffer.written;
    this.#streams.progress(stream);
  }
}

const END_ROW: SyncFrame = {
  type: FrameType.Sync,
  cid: 0,
  opened: false,
  closed: false,
  reason: undefined,
  received: 0,
  consumed: 0,
  limit: 0,
};
