/** What each frame means in an established session (wire-protocol.md §4): faults of a stream end it, faults of the session are thrown. */
import { SessionError, StreamError } from '../errors.js';
import { Stream } from '../stream/stream.js';
import type { Role, StreamTable } from '../stream/stream-table.js';
import { writeU64 } from '../wire/bytes.js';
import { CloseCode, FrameType, type RstReason } from '../wire/constants.js';
import type { Cid, CreditFrame, DataFrame, Frame, OpenFrame } from '../wire/frame.js';
import type { PeerLimits } from '../wire/hello.js';
import type { SessionCounters, SessionEvent } from './events.js';
import type { MemoryMeter } from './memory.js';
import type { Outbox } from './outbox.js';
import type { Scheduler } from './scheduler.js';
import { TokenBucket } from './token-bucket.js';

/** The parts of the session that a frame may touch. */
export interface ReceiverParts {
  readonly streams: StreamTable;
  readonly scheduler: Scheduler;
  readonly outbox: Outbox;
  readonly memory: MemoryMeter;
  readonly counters: SessionCounters;
  emit(event: SessionEvent): void;
  resetStream(stream: Stream, reason: RstReason, by: 'peer' | 'session'): void;
  settle(stream: Stream): void;
  roomMade(stream: Stream): void;
}

export interface ReceiverOptions {
  readonly role: Role;
  readonly local: PeerLimits;
  readonly peer: PeerLimits;
  readonly acceptsOpens: boolean;
}

/** Round trip assumed until the first PONG, in milliseconds: long, so that windows may grow from the start. */
const FIRST_ROUND_TRIP_MS = 100;
/** Weight of a new sample, as in TCP's smoothed round trip (RFC 6298 §2). */
const SAMPLE_WEIGHT = 1 / 8;
/** Frames without effect: a burst as large as thousands of streams reset in full flight, and a steady rate above any honest one. */
const IDLE_FRAME_BURST = 200_000;
const IDLE_FRAMES_PER_SECOND = 20_000;
/** Frames that ask for work whatever state we are in: PING, GOAWAY, REAUTH. */
const REQUEST_BURST = 200;
const REQUESTS_PER_SECOND = 20;

export class FrameReceiver {
  readonly #parts: ReceiverParts;
  readonly #options: ReceiverOptions;
  readonly #idleFrames: TokenBucket;
  readonly #requests: TokenBucket;
  #pingNumber = 0;
  #pingSentAt: number | undefined;
  #roundTripMs = FIRST_ROUND_TRIP_MS;
  #measured = false;
  #peerDraining = false;

  constructor(parts: ReceiverParts, options: ReceiverOptions, now: number) {
    this.#parts = parts;
    this.#options = options;
    this.#idleFrames = new TokenBucket(IDLE_FRAME_BURST, IDLE_FRAMES_PER_SECOND, now);
    this.#requests = new TokenBucket(REQUEST_BURST, REQUESTS_PER_SECOND, now);
  }

  get roundTripMs(): number {
    return this.#roundTripMs;
  }
  get peerDraining(): boolean {
    return this.#peerDraining;
  }

  /** Sends a PING; its PONG measures the round trip. */
  ping(now: number): void {
    const nonce = new Uint8Array(8);
    writeU64(nonce, 0, ++this.#pingNumber);
    this.#pingSentAt = now;
    this.#parts.outbox.add({ type: FrameType.Ping, nonce });
  }

  /** Acts on one frame. Throws SessionError. */
  frame(frame: Frame, now: number): void {
    switch (frame.type) {
      case FrameType.Data:
        return this.#onStream(frame.cid, now, (stream) => this.#onData(stream, frame));
      case FrameType.Credit:
        return this.#onStream(frame.cid, now, (stream) => this.#onCredit(stream, frame, now));
      case FrameType.Open:
        return this.#onOpen(frame, now);
      case FrameType.Opened:
        return this.#onStream(frame.cid, now, (stream) => this.#onOpened(stream, frame.window));
      case FrameType.Fin:
        return this.#onStream(frame.cid, now, (stream) => this.#onFin(stream, frame.seq));
      case FrameType.Rst:
        return this.#onStream(frame.cid, now, (stream) => this.#onRst(stream, frame.reason));
      case FrameType.Ping:
        this.#countRequest(now);
        this.#parts.outbox.add({ type: FrameType.Pong, nonce: frame.nonce });
        return;
      case FrameType.Pong:
        return this.#onPong(frame.nonce, now);
      case FrameType.Goaway:
        this.#countRequest(now);
        this.#peerDraining = true;
        this.#parts.emit({ type: 'goaway', code: frame.code, graceMs: frame.graceMs });
        return;
      case FrameType.Reauth:
        if (this.#options.role === 'agent') throw new SessionError(CloseCode.Protocol, 'REAUTH from the hub');
        this.#countRequest(now);
        this.#parts.emit({ type: 'reauth', token: frame.token });
        return;
      case FrameType.Hello:
      case FrameType.HelloAck:
      case FrameType.Sync:
      case FrameType.Diag:
        throw new SessionError(CloseCode.Protocol, `frame type ${frame.type} is not legal now`);
    }
  }

  /** Runs `work` on a live stream; a fault of the stream ends the stream alone. Frames for a stream that is over are counted. */
  #onStream(cid: Cid, now: number, work: (stream: Stream) => void): void {
    const stream = this.#parts.streams.find(cid);
    if (stream === undefined) {
      this.#parts.counters.lateFrames++;
      this.#countIdle(now);
      return;
    }
    try {
      work(stream);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.#parts.resetStream(stream, error.reason, 'session');
    }
  }

  #countRequest(now: number): void {
    if (!this.#requests.take(now)) throw new SessionError(CloseCode.Flooding, 'too many PINGs or the like');
  }

  #countIdle(now: number): void {
    if (!this.#idleFrames.take(now))
      throw new SessionError(CloseCode.Flooding, 'too many frames without effect');
  }

  #onOpen(frame: OpenFrame, now: number): void {
    const { streams, outbox, memory, counters } = this.#parts;
    streams.admitPeer(frame.cid);
    const refusal = this.#refusal(memory, streams);
    if (refusal !== undefined) {
      counters.rstSent++;
      outbox.add({ type: FrameType.Rst, cid: frame.cid, reason: refusal });
      return;
    }
    const { cid, connector, client, window: peerLimit } = frame;
    const window = this.#options.local.windowBytes;
    streams.add(new Stream({ cid, connector, client, openState: 'offered', peerLimit, window }, now));
    this.#parts.emit({ type: 'open', cid, connector, client });
  }

  #refusal(memory: MemoryMeter, streams: StreamTable): RstReason | undefined {
    if (!this.#options.acceptsOpens) return 'denied';
    return streams.size >= this.#options.local.maxStreams || memory.exhausted ? 'limit' : undefined;
  }

  #onOpened(stream: Stream, window: number): void {
    stream.onOpened(window);
    this.#parts.emit({ type: 'opened', cid: stream.cid });
    this.#parts.scheduler.activate(stream);
    this.#parts.roomMade(stream);
  }

  #onData(stream: Stream, frame: DataFrame): void {
    stream.onData(frame.seq, frame.payload.length);
    this.#parts.memory.addReceive(frame.payload.length);
    this.#parts.emit({ type: 'data', cid: frame.cid, bytes: frame.payload });
  }

  #onFin(stream: Stream, seq: number): void {
    stream.onFin(seq);
    this.#parts.counters.finReceived++;
    // Its offset is held until it is consumed, like a byte.
    this.#parts.memory.addReceive(1);
    this.#parts.emit({ type: 'finished', cid: stream.cid });
  }

  #onCredit(stream: Stream, { consumed, limit }: CreditFrame, now: number): void {
    const before = stream.peerLimit;
    const sendState = stream.sendState;
    const freed = stream.onCredit(consumed, limit);
    this.#parts.memory.addSend(-freed);
    if (freed === 0 && stream.peerLimit === before && stream.sendState === sendState) this.#countIdle(now);
    this.#parts.scheduler.activate(stream);
    this.#parts.roomMade(stream);
    this.#parts.settle(stream);
  }

  #onRst(stream: Stream, reason: RstReason): void {
    this.#parts.counters.rstReceived++;
    this.#parts.resetStream(stream, reason, 'peer');
  }

  #onPong(nonce: Uint8Array, now: number): void {
    const expected = new Uint8Array(8);
    writeU64(expected, 0, this.#pingNumber);
    if (this.#pingSentAt === undefined || nonce.some((byte, at) => byte !== expected[at])) {
      this.#countIdle(now);
      return;
    }
    const sample = now - this.#pingSentAt;
    this.#pingSentAt = undefined;
    this.#roundTripMs = this.#measured
      ? this.#roundTripMs + (sample - this.#roundTripMs) * SAMPLE_WEIGHT
      : sample;
    this.#measured = true;
    this.#parts.emit({ type: 'roundTrip', ms: sample });
  }
}
