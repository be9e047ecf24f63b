/**
 * Packs what is due into messages (wire-protocol.md §2.2): control frames first, then small DATA copied behind them,
 * and at most one large payload, which is handed on without a copy as the message's end.
 */
import type { Grant } from '../stream/receive-window.js';
import type { Stream } from '../stream/stream.js';
import { FrameType, HEADER_BYTES } from '../wire/constants.js';
import { DATA_HEADER_BYTES, encodeFrame, writeDataHeader } from '../wire/encode.js';
import type { Frame } from '../wire/frame.js';
import type { Scheduler, Turn } from './scheduler.js';

/** One WebSocket message in up to two pieces: `head` is the receiver's to keep, `body` is a view of a write. */
export interface Transmit {
  readonly head: Uint8Array;
  readonly body: Uint8Array | undefined;
}

/** Room for control frames and small payloads in one message. */
const HEAD_BYTES = 16_384;
/** Payloads up to this are copied, so that several share a message. */
const COPY_BELOW_BYTES = 1024;
const FIN_BYTES = HEADER_BYTES + 8;
const CREDIT_BYTES = HEADER_BYTES + 16;

export interface OutboxHooks {
  /** The numbers for a stream's CREDIT, now that it is sent. */
  grant(stream: Stream): Grant;
  /** The stream handed over `bytes`, or its FIN. */
  sent(stream: Stream, bytes: number, fin: boolean): void;
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
    const large = this.#packControl() ?? this.#packData();
    if (this.#used === 0 && large === undefined) return undefined;
    return { head: this.#scratch.slice(0, this.#used), body: large };
  }

  /** Packs control frames; returns one that is too large for the head. */
  #packControl(): Uint8Array | undefined {
    let packed = 0;
    let large: Uint8Array | undefined;
    for (const item of this.#control) {
      if (large !== undefined) break;
      const isFrame = 'type' in item;
      // The numbers of a CREDIT are taken only when it surely goes out.
      const bytes = isFrame
        ? encodeFrame(item)
        : this.#used + CREDIT_BYTES <= HEAD_BYTES && this.#credit(item);
      if (bytes === false) break;
      if (this.#used + bytes.length <= HEAD_BYTES) this.#append(bytes);
      else if (this.#used === 0) large = bytes;
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

  /** Packs turns of the scheduler until the head is full or a large payload ends the message. */
  #packData(): Uint8Array | undefined {
    while (this.#control.length === 0 && this.#used + DATA_HEADER_BYTES + FIN_BYTES < HEAD_BYTES) {
      const turn = this.#scheduler.next();
      if (turn === undefined) return undefined;
      const payload = this.#takePayload(turn);
      const room = HEAD_BYTES - this.#used - FIN_BYTES;
      const copied = payload.length <= Math.min(COPY_BELOW_BYTES, room);
      if (copied) this.#append(payload);
      const fin = copied && turn.stream.finDue;
      if (fin) this.#appendFin(turn.stream);
      this.#hooks.sent(turn.stream, payload.length, fin);
      this.#scheduler.sent(turn.stream, payload.length);
      if (!copied) return payload;
    }
    return undefined;
  }

  #takePayload({ stream, most }: Turn): Uint8Array {
    const { buffer } = stream;
    const seq = buffer.sent;
    const payload = buffer.take(Math.max(0, Math.min(most, this.#maxPayload, stream.peerLimit - seq)));
    if (payload.length > 0) {
      this.#used += writeDataHeader(this.#scratch, this.#used, stream.cid, seq, payload.length);
    }
    return payload;
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
