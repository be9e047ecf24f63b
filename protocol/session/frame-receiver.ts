/** What each frame means in an established session (wire-protocol.md §4): faults of a stream end it, faults of the session are thrown. */
import { SessionError, StreamError } from '../errors.js';
import type { Stream } from '../stream/stream.js';
import type { Role } from '../stream/stream-table.js';
import { BYTES_PER_PING, CloseCode, FrameType, type RstReason } from '../wire/constants.js';
import type { Cid, CreditFrame, DataFrame, Frame, OpenFrame } from '../wire/frame.js';
import type { SessionCounters, SessionEvent } from './events.js';
import { nonceOf } from './flight.js';
import type { StreamSet } from './stream-set.js';
import { TokenBucket } from './token-bucket.js';

export interface ReceiverOptions {
  readonly role: Role;
  readonly acceptsOpens: boolean;
}

/** Weight of a new sample, as in TCP's smoothed round trip (RFC 6298 §2). */
const SAMPLE_WEIGHT = 1 / 8;
/** Round trips that are measured before the first PING interval is over: the first one of a process is longer than the path. */
const EARLY_SAMPLES = 4;
/** Frames without effect: a burst as large as thousands of streams reset in full flight, and a steady rate above any honest one. */
const IDLE_FRAME_BURST = 200_000;
const IDLE_FRAMES_PER_SECOND = 20_000;
/** Frames that ask for work whatever state we are in: PING, GOAWAY, REAUTH. */
const REQUEST_BURST = 200;
const REQUESTS_PER_SECOND = 20;
/** DATA that counts for later PINGs. */
const MOST_PING_BYTES = 32 * BYTES_PER_PING;

/** How often PINGs go out to make room among the tombstones; well below what counts as flooding. */
const CROWDED_PING_MS = 200;

export class FrameReceiver {
  readonly #streams: StreamSet;
  readonly #counters: SessionCounters;
  readonly #emit: (event: SessionEvent) => void;
  readonly #options: ReceiverOptions;
  readonly #idleFrames: TokenBucket;
  readonly #requests: TokenBucket;
  /** DATA received for which the peer may send PINGs. */
  #pingBytes = 0;
  #lastPingAt = 0;
  #measured = false;
  #peerDraining = false;

  constructor(
    streams: StreamSet,
    counters: SessionCounters,
    emit: (event: SessionEvent) => void,
    options: ReceiverOptions,
    now: number,
  ) {
    this.#streams = streams;
    this.#counters = counters;
    this.#emit = emit;
    this.#options = options;
    this.#idleFrames = new TokenBucket(IDLE_FRAME_BURST, IDLE_FRAMES_PER_SECOND, now);
    this.#requests = new TokenBucket(REQUEST_BURST, REQUESTS_PER_SECOND, now);
    streams.onWindowUsed = () => this.measurePath();
    streams.onHeld = () => this.ping(true);
  }

  get peerDraining(): boolean {
    return this.#peerDraining;
  }

  /**
   * Sends a PING; its PONG measures the round trip, and proves that everything sent before has arrived.
   * @param besideBulk it is about the bulk: its round trip is not told
   */
  ping(besideBulk = false): void {
    const { flight, now, outbox } = this.#streams;
    this.#lastPingAt = now;
    outbox.add({ type: FrameType.Ping, nonce: nonceOf(flight.ping(now, besideBulk)) });
  }

  /** Sends a PING before its time while little is known of the path. */
  measurePath(): void {
    const { flight } = this.#streams;
    if (flight.path.samples < EARLY_SAMPLES && flight.awaited === 0) this.ping();
  }

  /** A PING is due before its time when many streams have ended that the peer has not confirmed. */
  pingIfCrowded(): void {
    const { tombstones, now } = this.#streams;
    if (!tombstones.crowded || now - this.#lastPingAt < CROWDED_PING_MS) return;
    // One that is on its way makes room too.
    if (this.#streams.flight.awaited === 0) this.ping();
  }

  /** The PONG went down with the link. */
  forgetPing(): void {
    this.#streams.flight.newLink();
  }

  /** Acts on one frame. Throws SessionError. */
  frame(frame: Frame): void {
    switch (frame.type) {
      case FrameType.Data:
        // Also for a stream that is over: whoever sent it may not know.
        this.#pingBytes = Math.min(MOST_PING_BYTES, this.#pingBytes + frame.payload.length);
        return this.#onStream(frame.cid, (stream) => this.#onData(stream, frame));
      case FrameType.Credit:
        return this.#onStream(frame.cid, (stream) => this.#onCredit(stream, frame));
      case FrameType.Open:
        return this.#onOpen(frame);
      case FrameType.Opened:
        return this.#onStream(frame.cid, (stream) => this.#onOpened(stream, frame.window));
      case FrameType.Fin:
        return this.#onStream(frame.cid, (stream) => this.#onFin(stream, frame.seq));
      case FrameType.Rst:
        return this.#onStream(frame.cid, (stream) => this.#onRst(stream, frame.reason));
      case FrameType.Ping:
        this.#countPing();
        this.#streams.outbox.add({ type: FrameType.Pong, nonce: frame.nonce });
        return;
      case FrameType.Pong:
        return this.#onPong(frame.nonce);
      case FrameType.Goaway:
        this.#countRequest();
        this.#peerDraining = true;
        this.#emit({ type: 'goaway', code: frame.code, graceMs: frame.graceMs });
        return;
      case FrameType.Reauth:
        if (this.#options.role === 'agent') throw new SessionError(CloseCode.Protocol, 'REAUTH from the hub');
        this.#countRequest();
        this.#emit({ type: 'reauth', token: frame.token });
        return;
      case FrameType.Hello:
      case FrameType.HelloAck:
      case FrameType.Sync:
      case FrameType.Diag:
        throw new SessionError(CloseCode.Protocol, `frame type ${frame.type} is not legal now`);
    }
  }

  /** Runs `work` on a live stream; a fault of the stream ends the stream alone. Frames for a stream that is over are counted. */
  #onStream(cid: Cid, work: (stream: Stream) => void): void {
    const stream = this.#streams.table.find(cid);
    if (stream === undefined) {
      this.#counters.lateFrames++;
      this.#countIdle();
      return;
    }
    try {
      work(stream);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.#streams.resetStream(stream, error.reason, 'session');
    }
  }

  /** One for so much DATA is no work for nothing: the sender learns what has arrived (§4.9). */
  #countPing(): void {
    if (this.#pingBytes >= BYTES_PER_PING) this.#pingBytes -= BYTES_PER_PING;
    else this.#countRequest();
  }

  #countRequest(): void {
    if (this.#requests.take(this.#streams.now)) return;
    throw new SessionError(CloseCode.Flooding, 'too many PINGs or the like');
  }

  #countIdle(): void {
    if (this.#idleFrames.take(this.#streams.now)) return;
    throw new SessionError(CloseCode.Flooding, 'too many frames without effect');
  }

  #onOpen(frame: OpenFrame): void {
    this.#streams.table.admitPeer(frame.cid);
    const refusal = this.#options.acceptsOpens ? this.#streams.offer(frame) : 'denied';
    if (refusal !== undefined) this.#streams.refuse(frame.cid, refusal);
  }

  #onOpened(stream: Stream, window: number): void {
    stream.onOpened(window);
    this.#emit({ type: 'opened', cid: stream.cid });
    this.#streams.progress(stream);
  }

  #onData(stream: Stream, frame: DataFrame): void {
    stream.onData(frame.seq, frame.payload.length);
    this.#streams.flight.path.receive(frame.payload.length);
    this.#streams.memory.addReceive(frame.payload.length);
    this.#emit({ type: 'data', cid: frame.cid, bytes: frame.payload });
  }

  #onFin(stream: Stream, seq: number): void {
    stream.onFin(seq);
    this.#counters.finReceived++;
    // Its offset is held until it is consumed, like a byte.
    this.#streams.memory.addReceive(1);
    this.#emit({ type: 'finished', cid: stream.cid });
  }

  #onCredit(stream: Stream, { consumed, limit }: CreditFrame): void {
    const before = stream.peerLimit;
    const sendState = stream.sendState;
    const freed = stream.onCredit(consumed, limit, this.#streams.release);
    this.#streams.memory.addSend(-freed);
    if (freed === 0 && stream.peerLimit === before && stream.sendState === sendState) this.#countIdle();
    this.#streams.progress(stream);
    this.#streams.settle(stream);
  }

  #onRst(stream: Stream, reason: RstReason): void {
    this.#counters.rstReceived++;
    this.#streams.resetStream(stream, reason, 'peer');
  }

  #onPong(nonce: Uint8Array): void {
    const { flight, now, tombstones } = this.#streams;
    const news = flight.pong(nonce, now);
    if (news === undefined) {
      this.#countIdle();
      return;
    }
    tombstones.confirm(news.number);
    if (news.mark) return;
    const { roundTripMs } = this.#streams;
    this.#streams.roundTripMs = this.#measured
      ? roundTripMs + (news.roundTripMs - roundTripMs) * SAMPLE_WEIGHT
      : news.roundTripMs;
    this.#measured = true;
    this.#emit({ type: 'roundTrip', ms: news.roundTripMs });
  }
}
