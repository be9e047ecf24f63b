/**
 * The session: what outlives a tunnel. Sans-IO: bytes, commands and `now` (milliseconds of a monotonic clock) go in;
 * events, messages and the next deadline come out. It never throws at its caller for a fault of the peer.
 */
import { SessionError } from '../errors.js';
import type { Grant } from '../stream/receive-window.js';
import { Stream } from '../stream/stream.js';
import { StreamTable, type Role } from '../stream/stream-table.js';
import { CloseCode, FrameType, type RstReason } from '../wire/constants.js';
import { Decoder } from '../wire/decoder.js';
import type { Cid } from '../wire/frame.js';
import type { PeerLimits } from '../wire/hello.js';
import type { SessionCounters, SessionEvent } from './events.js';
import { FrameReceiver } from './frame-receiver.js';
import { Liveness, type LivenessOptions } from './liveness.js';
import { MemoryMeter, type ProcessBudget } from './memory.js';
import { Outbox, type Transmit } from './outbox.js';
import { Scheduler } from './scheduler.js';

export interface SessionOptions {
  readonly role: Role;
  /** What we said in our HELLO or HELLO_ACK. */
  readonly local: PeerLimits;
  /** What the peer said. */
  readonly peer: PeerLimits;
  /** Window of a stream once it is open, and how far it may grow, in bytes. */
  readonly windowBytes: number;
  readonly maxWindowBytes: number;
  /** Bytes that this session may hold, both directions, all streams. */
  readonly bufferBytes: number;
  readonly processBudget: ProcessBudget;
  readonly liveness: LivenessOptions;
  /** Whether the peer may open streams (§6.1); if not, its OPEN is answered `denied`. */
  readonly acceptsOpens: boolean;
  /** For tests: the first cid of our own. */
  readonly firstCid?: Cid;
}

/** Unsent bytes of one stream above which its owner is asked to pause. */
const QUEUE_BYTES = 262_144;
const PRESSED_QUEUE_BYTES = 16_384;
/** How long small progress waits for company before it is announced. */
const CREDIT_DELAY_MS = 20;
/** Control frames that may wait for the link: more means that the peer asks and does not read. */
const CONTROL_PER_STREAM = 4;
const CONTROL_SPARE = 4096;
/** From this share of them on no stream is opened, so that our own opens never count as the peer's flooding. */
const CONTROL_SHARE_FOR_OPENS = 0.5;

export class Session {
  readonly counters: SessionCounters = {
    finSent: 0,
    finReceived: 0,
    rstSent: 0,
    rstReceived: 0,
    lateFrames: 0,
    replayedBytes: 0,
  };
  readonly #options: SessionOptions;
  readonly #streams: StreamTable;
  readonly #scheduler = new Scheduler();
  readonly #outbox: Outbox;
  readonly #memory: MemoryMeter;
  readonly #receiver: FrameReceiver;
  readonly #decoder: Decoder;
  readonly #liveness: Liveness;
  readonly #mostControl: number;
  #events: SessionEvent[] = [];
  #eventsRead = 0;
  #delayedCredits: Stream[] = [];
  #creditsDueAt = Infinity;
  /** Time of the call under way, for what is computed while a message is packed. */
  #now: number;
  #draining = false;
  #ended = false;

  constructor(options: SessionOptions, now: number) {
    this.#options = options;
    this.#now = now;
    this.#streams = new StreamTable(options.role, options.firstCid);
    this.#memory = new MemoryMeter(options.bufferBytes, options.processBudget);
    this.#decoder = new Decoder(options.local.maxPayload);
    this.#liveness = new Liveness(options.liveness, now);
    this.#outbox = new Outbox(
      this.#scheduler,
      {
        grant: (stream) => this.#grant(stream),
        sent: (stream, bytes, fin) => this.#onSent(stream, bytes, fin),
      },
      options.peer.maxPayload,
    );
    this.#receiver = new FrameReceiver(
      {
        streams: this.#streams,
        scheduler: this.#scheduler,
        outbox: this.#outbox,
        memory: this.#memory,
        counters: this.counters,
        emit: (event) => this.#events.push(event),
        resetStream: (stream, reason, by) => this.#resetStream(stream, reason, by),
        settle: (stream) => this.#settle(stream),
        roomMade: (stream) => this.#roomMade(stream),
      },
      options,
      now,
    );
    this.#mostControl = CONTROL_SPARE + CONTROL_PER_STREAM * options.local.maxStreams;
    this.#receiver.ping(now);
  }

  get streamCount(): number {
    return this.#streams.size;
  }
  get heldBytes(): number {
    return this.#memory.heldBytes;
  }
  /** Bytes in memory by direction. */
  get held(): { readonly send: number; readonly receive: number } {
    return { send: this.#memory.sendBytes, receive: this.#memory.receiveBytes };
  }
  get ended(): boolean {
    return this.#ended;
  }
  /** True once a GOAWAY was sent or received: open no more streams here. */
  get draining(): boolean {
    return this.#draining || this.#receiver.peerDraining;
  }
  /** Our cids are nearly spent: the owner should move to a fresh session. */
  get cidsNearlySpent(): boolean {
    return this.#streams.nearlySpent;
  }
  /** Last measured round trip, in milliseconds. */
  get roundTripMs(): number {
    return this.#receiver.roundTripMs;
  }

  // ---- input ------------------------------------------------------------------------------------------------

  /** Takes bytes from the link, in any pieces. Payloads in the events are views of `bytes`. */
  receive(bytes: Uint8Array, now: number): void {
    if (this.#ended) return;
    this.#now = now;
    this.#liveness.heard(now);
    this.#guard(() => {
      this.#decoder.push(bytes, (frame) => {
        this.#receiver.frame(frame, now);
        return true;
      });
      if (this.#outbox.waiting > this.#mostControl) {
        throw new SessionError(
          CloseCode.Flooding,
          `${this.#outbox.waiting} answers wait for a peer that does not read`,
        );
      }
    });
  }

  /** A WebSocket message ended: a frame must not lie across the end (§2.2). */
  receiveMessageEnd(): void {
    if (this.#ended || this.#decoder.atBoundary) return;
    this.#end(CloseCode.Protocol, 'a message ended inside a frame', 'us');
  }

  /** The link is gone: without it the session is over and its streams are reset. */
  linkLost(message: string): void {
    this.#end(CloseCode.Normal, message, 'peer');
  }

  /** The peer closed the link with a code of ours. */
  linkClosed(code: CloseCode, message: string): void {
    this.#end(code, message, 'peer');
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      this.#end(error.code, error.message, 'us');
    }
  }

  // ---- commands ---------------------------------------------------------------------------------------------

  /** Opens a stream; a reason instead of a cid when it is refused here and now. */
  open(connector: string, client: string, now: number): Cid | RstReason {
    if (this.#ended || this.draining) return 'draining';
    const most = Math.min(this.#options.local.maxStreams, this.#options.peer.maxStreams);
    if (this.#streams.size >= most || this.#memory.exhausted) return 'limit';
    if (this.#outbox.waiting > this.#mostControl * CONTROL_SHARE_FOR_OPENS) return 'limit';
    const cid = this.#streams.takeOwn();
    if (cid === undefined) return 'draining';
    const window = this.#openWindow();
    const peerLimit = this.#options.peer.windowBytes;
    this.#streams.add(new Stream({ cid, connector, client, openState: 'opening', peerLimit, window }, now));
    this.#outbox.add({ type: FrameType.Open, cid, connector, client, window });
    return cid;
  }

  /** Answers an `open` event with OPENED: from now on the owner may write. */
  accept(cid: Cid, now: number): void {
    const stream = this.#streams.get(cid);
    if (!stream?.tryOpen('accept')) return;
    const { limit } = stream.receive.openTo(this.#openWindow(), now);
    this.#outbox.add({ type: FrameType.Opened, cid, window: limit });
  }

  /** Bytes that the owner may write before it should pause; at or below 0: wait for `writable`. */
  budget(cid: Cid): number {
    const stream = this.#streams.get(cid);
    if (stream === undefined) return 0;
    const room = this.#roomOf(stream);
    // Whoever learns here that there is none waits for `writable`, also when nothing was written before.
    if (room <= 0) stream.ownerPaused = true;
    return room;
  }

  #roomOf(stream: Stream): number {
    const queue = this.#memory.pressed ? PRESSED_QUEUE_BYTES : QUEUE_BYTES;
    return Math.min(stream.peerLimit - stream.buffer.written, queue - stream.buffer.unsent);
  }

  /** Queues bytes for the peer and keeps the array: the caller must not change it. Ignored when the stream is over. */
  write(cid: Cid, bytes: Uint8Array): void {
    const stream = this.#streams.get(cid);
    if (stream === undefined) return;
    if (!stream.tryOpen('write') || !stream.trySend('write')) {
      throw new Error(`write on stream ${cid}, which is ${stream.openState} and ${stream.sendState}`);
    }
    stream.buffer.write(bytes);
    this.#memory.addSend(bytes.length);
    if (this.#roomOf(stream) <= 0) stream.ownerPaused = true;
    this.#scheduler.activate(stream);
  }

  /** Ends our direction behind everything written. Ignored when it has ended. */
  finish(cid: Cid): void {
    const stream = this.#streams.get(cid);
    if (stream === undefined) return;
    if (!stream.tryOpen('write')) throw new Error(`finish on stream ${cid}, which is not accepted`);
    if (stream.trySend('finish')) this.#scheduler.activate(stream);
  }

  /** Ends the stream at once, both directions, and answers an `open` event with a refusal. No event follows. */
  reset(cid: Cid, reason: RstReason): void {
    const stream = this.#streams.get(cid);
    if (stream === undefined) return;
    this.#sendRst(stream, reason);
    this.#forget(stream);
  }

  /** The destination took `count` bytes (or, after `finished`, its FIN: 1). */
  consumed(cid: Cid, count: number, now: number): void {
    const stream = this.#streams.get(cid);
    if (stream === undefined || count === 0) return;
    stream.receive.consume(count);
    if (stream.receive.drained) stream.tryReceive('drained');
    this.#memory.addReceive(-count);
    if (stream.receive.urgent) this.#outbox.addCredit(stream);
    else if (!stream.creditQueued && !stream.creditDelayed) {
      stream.creditDelayed = true;
      this.#delayedCredits.push(stream);
      this.#creditsDueAt = Math.min(this.#creditsDueAt, now + CREDIT_DELAY_MS);
    }
  }

  /** Tells the peer to open no more streams here, and why: 4503 to drain, 1000 to move to a fresh session. */
  drain(code: CloseCode, graceMs: number): void {
    if (this.#ended || this.#draining) return;
    this.#draining = true;
    this.#outbox.add({ type: FrameType.Goaway, code, graceMs });
  }

  /** Sends a fresh token (§7.3). */
  reauthenticate(token: string): void {
    if (!this.#ended) this.#outbox.add({ type: FrameType.Reauth, token });
  }

  /** Ends the session: its streams are reset, and the link is to be closed with `code`. */
  close(code: CloseCode, message: string): void {
    this.#end(code, message, 'us');
  }

  // ---- output -----------------------------------------------------------------------------------------------

  pollEvent(): SessionEvent | undefined {
    const event = this.#events[this.#eventsRead];
    if (event === undefined) {
      this.#events = [];
      this.#eventsRead = 0;
    } else this.#eventsRead++;
    return event;
  }

  /** The next message for the link, or undefined when nothing is due. */
  pollTransmit(now: number): Transmit | undefined {
    if (this.#ended) return undefined;
    this.#now = now;
    return this.#outbox.poll();
  }

  /** When handleTimeout is due next, in milliseconds of the same clock. */
  nextDeadline(): number {
    return this.#ended ? Infinity : Math.min(this.#liveness.deadline, this.#creditsDueAt);
  }

  handleTimeout(now: number): void {
    if (this.#ended) return;
    this.#now = now;
    if (now >= this.#creditsDueAt) this.#flushDelayedCredits();
    if (now < this.#liveness.deadline) return;
    const state = this.#liveness.check(now);
    if (state === 'ping') this.#receiver.ping(now);
    if (state === 'dead') {
      this.#events.push({ type: 'linkDead' });
      this.#end(
        CloseCode.Normal,
        `nothing was heard for ${Math.round(this.#liveness.silence(now))} ms`,
        'us',
      );
    }
  }

  // ---- within -----------------------------------------------------------------------------------------------

  #openWindow(): number {
    return this.#memory.pressed
      ? Math.min(PRESSED_QUEUE_BYTES, this.#options.windowBytes)
      : this.#options.windowBytes;
  }

  #flushDelayedCredits(): void {
    for (const stream of this.#delayedCredits) {
      stream.creditDelayed = false;
      if (stream.receive.unannounced && !stream.isReset) this.#outbox.addCredit(stream);
    }
    this.#delayedCredits = [];
    this.#creditsDueAt = Infinity;
  }

  #grant(stream: Stream): Grant {
    const { pressed } = this.#memory;
    const growTo = pressed ? 0 : this.#options.maxWindowBytes;
    const grant = stream.receive.grant(this.#now, this.#receiver.roundTripMs, growTo, pressed);
    this.#settle(stream);
    return grant;
  }

  #onSent(stream: Stream, bytes: number, fin: boolean): void {
    if (fin) this.counters.finSent++;
    if (bytes > 0) this.#roomMade(stream);
  }

  #roomMade(stream: Stream): void {
    if (!stream.ownerPaused || stream.sendState !== 'open' || this.#roomOf(stream) <= 0) return;
    stream.ownerPaused = false;
    this.#events.push({ type: 'writable', cid: stream.cid });
  }

  /** Takes the stream out when both directions are done. */
  #settle(stream: Stream): void {
    if (!stream.complete || !this.#streams.remove(stream.cid)) return;
    this.#events.push({ type: 'closed', cid: stream.cid });
  }

  #sendRst(stream: Stream, reason: RstReason): void {
    this.counters.rstSent++;
    this.#outbox.add({ type: FrameType.Rst, cid: stream.cid, reason });
  }

  /** Ends a stream that the owner did not end itself. */
  #resetStream(stream: Stream, reason: RstReason, by: 'peer' | 'session'): void {
    if (by === 'session' && !this.#ended) this.#sendRst(stream, reason);
    const beforeOpened = stream.openState === 'opening';
    const unacknowledged = this.#forget(stream);
    this.#events.push({ type: 'reset', cid: stream.cid, reason, by, beforeOpened, unacknowledged });
  }

  #forget(stream: Stream): readonly Uint8Array[] {
    this.#streams.remove(stream.cid);
    this.#memory.addSend(-stream.buffer.held);
    this.#memory.addReceive(-stream.receive.held);
    stream.trySend('reset');
    stream.tryReceive('reset');
    return stream.buffer.drain();
  }

  #end(code: CloseCode, message: string, by: 'us' | 'peer'): void {
    if (this.#ended) return;
    this.#ended = true;
    const reason = code === CloseCode.Draining ? 'draining' : 'tunnel_lost';
    for (const stream of [...this.#streams.values()]) this.#resetStream(stream, reason, 'session');
    this.#outbox.clear();
    this.#events.push({ type: 'ended', code, message, by });
  }
}
