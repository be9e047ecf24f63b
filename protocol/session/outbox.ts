/**
 * Packs what is due into messages (wire-protocol.md §2.2): control frames first, then small DATA copied behind them. A large
 * payload is a message of its own, and not copied.
 */
import type { Grant } from '../stream/receive-window.js';
import type { Stream } from '../stream/stream.js';
import { FrameType, HEADER_BYTES } from '../wire/constants.js';
import { DATA_HEADER_BYTES, encodeFrame, writeDataHeader } from '../wire/encode.js';
import type { Frame } from '../wire/frame.js';
import { nonceOf } from './flight.js';
import type { Scheduler } from './scheduler.js';

/**
 * One WebSocket message: `bytes`, before which `room` bytes of the same memory are free for its header, and `tail` where
 * there was no room to lay the message in one piece. Both may be views of what an owner wrote: not to be kept or changed.
 */
export interface Transmit {
  readonly bytes: Uint8Array;
  readonly room: number;
  readonly tail: Uint8Array | undefined;
}

/** Control frames and small payloads in one message. */
const HEAD_BYTES = 16_384;
/** Room before them, for the message's header. */
const HEAD_ROOM = 16;
/** Payloads up to this are copied, so that several share a message. */
const COPY_BELOW_BYTES = 4096;
const FIN_BYTES = HEADER_BYTES + 8;
const CREDIT_BYTES = HEADER_BYTES + 16;
const PING_BYTES = HEADER_BYTES + 8;

function pingFrame(number: number): Uint8Array {
  return encodeFrame({ type: FrameType.Ping, nonce: nonceOf(number) });
}

export interface OutboxHooks {
  /** The numbers for a stream's CREDIT, now that it is sent. */
  grant(stream: Stream): Grant;
  /** The stream handed over `bytes`, or its FIN. */
  sent(stream: Stream, bytes: number, fin: boolean): void;
  /** The stream hands over that much bulk; returns the number of a PING that is to go before it, if any. */
  mark(bytes: number): number | undefined;
}

export class Outbox {
  readonly #scheduler: Scheduler;
  readonly #hooks: OutboxHooks;
  readonly #maxPayload: number;
  /** Frames, and streams whose CREDIT is due: its numbers are taken when it is sent. */
  #control: (Frame | Stream)[] = [];
  readonly #scratch = new Uint8Array(HEAD_BYTES);
  #used = 0;

  constructor(scheduler: Scheduler, hooks: OutboxHooks, maxPayload: number) {
    this.#scheduler = scheduler;
    this.#hooks = hooks;
    this.#maxPayload = maxPayload;
  }

  /** Control frames that wait; the session bounds it. */
  get waiting(): number {
    return this.#control.length;
  }

  add(frame: Frame): void {
    this.#control.push(frame);
  }

  addCredit(stream: Stream): void {
    if (stream.creditQueued) return;
    stream.creditQueued = true;
    this.#control.push(stream);
  }

  /** Keeps only what belongs to the session, or to a stream of which `wanted` says so. No CREDIT may wait for the others. */
  keep(wanted: (cid: number) => boolean): void {
    this.#control = this.#control.filter((item) => !('cid' in item) || wanted(item.cid));
  }

  /** Forgets the control frames: they went down with the link. */
  clear(): void {
    for (const item of this.#control) if (!('type' in item)) item.creditQueued = false;
    this.#control = [];
  }

  /** The next message, or undefined when nothing is due. */
  poll(): Transmit | undefined {
    this.#used = 0;
    // Where bulk is held back, a PING may have been added meanwhile.
    const large = this.#packControl() ?? this.#packData() ?? this.#packControl();
    if (large !== undefined) return large;
    if (this.#used === 0) return undefined;
    const memory = new Uint8Array(HEAD_ROOM + this.#used);
    const bytes = memory.subarray(HEAD_ROOM);
    bytes.set(this.#scratch.subarray(0, this.#used));
    return { bytes, room: HEAD_ROOM, tail: undefined };
  }

  /** Packs control frames; returns one that is too large to share a message. */
  #packControl(): Transmit | undefined {
    let packed = 0;
    let large: Transmit | undefined;
    for (const item of this.#control) {
      if (large !== undefined) break;
      const isFrame = 'type' in item;
      // The numbers of a CREDIT are taken only when it surely goes out.
      const bytes = isFrame
        ? encodeFrame(item)
        : this.#used + CREDIT_BYTES <= HEAD_BYTES && this.#credit(item);
      if (bytes === false) break;
      if (this.#used + bytes.length <= HEAD_BYTES) this.#append(bytes);
      else if (this.#used === 0) large = { bytes, room: 0, tail: undefined };
      else break;
      packed++;
    }
    this.#control.splice(0, packed);
    return large;
  }

  #credit(stream: Stream): Uint8Array {
    stream.creditQueued = false;
    const { consumed, limit } = this.#hooks.grant(stream);
    return encodeFrame({ type: FrameType.Credit, cid: stream.cid, consumed, limit });
  }

  /** Packs turns of the scheduler until the message is full; returns a large payload, when nothing is packed before it. */
  #packData(): Transmit | undefined {
    while (
      this.#control.length === 0 &&
      this.#used + PING_BYTES + DATA_HEADER_BYTES + FIN_BYTES < HEAD_BYTES
    ) {
      const turn = this.#scheduler.next();
      if (turn === undefined) return undefined;
      const { stream } = turn;
      const most = Math.max(0, Math.min(turn.most, this.#maxPayload, stream.peerLimit - stream.buffer.sent));
      const room = HEAD_BYTES - this.#used - PING_BYTES - DATA_HEADER_BYTES - FIN_BYTES;
      if (Math.min(most, stream.buffer.unsent) > Math.min(COPY_BELOW_BYTES, room)) {
        // What is packed goes first, as a message of its own; the turn is asked for again.
        return this.#used > 0 ? undefined : this.#takeLarge(stream, most);
      }
      this.#packSmall(stream, most);
    }
    return undefined;
  }

  #packSmall(stream: Stream, most: number): void {
    const { buffer } = stream;
    const seq = buffer.sent;
    const { bytes } = buffer.take(most);
    if (bytes.length > 0) {
      const ping = stream.queue === 'bulk' ? this.#hooks.mark(bytes.length) : undefined;
      if (ping !== undefined) this.#append(pingFrame(ping));
      this.#used += writeDataHeader(this.#scratch, this.#used, stream.cid, seq, bytes.length);
      this.#append(bytes);
    }
    const fin = stream.finDue;
    if (fin) this.#appendFin(stream);
    this.#hooks.sent(stream, bytes.length, fin);
    this.#scheduler.sent(stream, bytes.length);
  }

  #takeLarge(stream: Stream, most: number): Transmit {
    const { buffer } = stream;
    const seq = buffer.sent;
    const { bytes, room } = buffer.take(most);
    const ping = this.#hooks.mark(bytes.length);
    this.#hooks.sent(stream, bytes.length, false);
    this.#scheduler.sent(stream, bytes.length);
    const before = DATA_HEADER_BYTES + (ping === undefined ? 0 : PING_BYTES);
    const inPlace = room >= before;
    const head = inPlace
      ? new Uint8Array(bytes.buffer, bytes.byteOffset - before, before + bytes.length)
      : new Uint8Array(HEAD_ROOM + before).subarray(HEAD_ROOM);
    if (ping !== undefined) head.set(pingFrame(ping));
    writeDataHeader(head, before - DATA_HEADER_BYTES, stream.cid, seq, bytes.length);
    return inPlace
      ? { bytes: head, room: room - before, tail: undefined }
      : { bytes: head, room: HEAD_ROOM, tail: bytes };
  }

  #appendFin(stream: Stream): void {
    stream.finSent = true;
    this.#append(encodeFrame({ type: FrameType.Fin, cid: stream.cid, seq: stream.buffer.written }));
  }

  #append(bytes: Uint8Array): void {
    this.#scratch.set(bytes, this.#used);
    this.#used += bytes.length;
  }
}
