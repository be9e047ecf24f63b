/**
 * The session: what outlives a tunnel. Sans-IO: bytes, commands and `now` (milliseconds of a monotonic clock) go in;
 * events, messages and the next deadline come out. It never throws at its caller for a fault of the peer.
 */
import { SessionError } from '../errors.js';
import { CloseCode, FrameType, LINK_BROKE, type RstReason } from '../wire/constants.js';
import { Decoder } from '../wire/decoder.js';
import type { Cid, Frame } from '../wire/frame.js';
import type { PeerLimits } from '../wire/hello.js';
import { noCounts, type SessionEvent } from './events.js';
import { FrameReceiver } from './frame-receiver.js';
import { Liveness, type LivenessOptions } from './liveness.js';
import type { Transmit } from './outbox.js';
import { ResumeExchange } from './resume.js';
import { StreamSet, type StreamSetOptions } from './stream-set.js';
import { MOST_TOMBSTONES, Tombstones } from './tombstones.js';

export interface SessionOptions extends StreamSetOptions {
  readonly liveness: LivenessOptions;
  /** Whether the peer may open streams (§6.1); if not, its OPEN is answered `denied`. */
  readonly acceptsOpens: boolean;
  /** How long streams outlive a lost link; 0: not at all, the session ends with its link. */
  readonly resumeGraceMs: number;
}

/** `syncing`: on a new link, until both stream tables are exchanged. */
type LinkState = 'up' | 'suspended' | 'syncing';

export class Session {
  readonly counters = noCounts();
  readonly #options: SessionOptions;
  readonly #streams: StreamSet;
  readonly #receiver: FrameReceiver;
  #decoder: Decoder;
  #liveness: Liveness;
  #state: LinkState = 'up';
  /** When the link was lost for which the session waits, and how it ended last. */
  #loss = { at: 0, code: LINK_BROKE as number };
  #exchange: ResumeExchange | undefined;
  #events: SessionEvent[] = [];
  #eventsRead = 0;
  /** The GOAWAY that was sent: it is sent again on a new link. */
  #goaway: Frame | undefined;
  #ended = false;

  constructor(options: SessionOptions, now: number) {
    this.#options = options;
    const tombstones = new Tombstones(options.resumeGraceMs > 0 ? MOST_TOMBSTONES : 0);
    const emit = (event: SessionEvent): number => this.#events.push(event);
    this.#streams = new StreamSet(options, this.counters, emit, tombstones, now);
    this.#receiver = new FrameReceiver(this.#streams, this.counters, emit, options, now);
    this.#decoder = new Decoder(options.local.maxPayload);
    this.#liveness = new Liveness(options.liveness, now);
    this.#receiver.ping();
  }

  get streamCount(): number {
    return this.#streams.table.size;
  }
  get heldBytes(): number {
    return this.#streams.memory.heldBytes;
  }
  /** Bytes in memory by direction. */
  get held(): { readonly send: number; readonly receive: number } {
    const { memory } = this.#streams;
    return { send: memory.sendBytes, receive: memory.receiveBytes };
  }
  get ended(): boolean {
    return this.#ended;
  }
  /** What we said in the first HELLO or HELLO_ACK; a resume does not change it (§7.4.2). */
  get limits(): PeerLimits {
    return this.#options.local;
  }
  /** It has a link, and after a resume both tables are exchanged: streams can be opened. */
  get up(): boolean {
    return this.#state === 'up' && !this.#ended;
  }
  /** Without a link for now; the streams wait. */
  get suspended(): boolean {
    return this.#state === 'suspended' && !this.#ended;
  }
  /** It ended while it waited for a link: nobody came back in time, or it was given up meanwhile. */
  get suspendedAtEnd(): boolean {
    return this.#state === 'suspended' && this.#ended;
  }
  /** True once a GOAWAY was sent or received: open no more streams here. */
  get draining(): boolean {
    return this.#goaway !== undefined || this.#receiver.peerDraining;
  }
  /** Our cids are nearly spent: the owner should move to a fresh session. */
  get cidsNearlySpent(): boolean {
    return this.#streams.table.nearlySpent;
  }
  /** Last measured round trip, in milliseconds. */
  get roundTripMs(): number {
    return this.#streams.roundTripMs;
  }

  // ---- the link -------------------------------------------------------------------------------------------

  /** Takes bytes from the link, in any pieces. Payloads in the events are views of `bytes`: poll them before it changes. */
  receive(bytes: Uint8Array, now: number): void {
    if (this.#ended || this.#state === 'suspended') return;
    this.#streams.now = now;
    this.#liveness.heard(now);
    try {
      this.#decoder.push(bytes, (frame) => {
        this.#onFrame(frame);
        return true;
      });
      this.#receiver.pingIfCrowded();
      if (this.#streams.flooded) {
        throw new SessionError(CloseCode.Flooding, 'answers pile up for a peer that does not read');
      }
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      this.#end(error.code, error.message, 'us');
    }
  }

  #onFrame(frame: Frame): void {
    if (frame.type === FrameType.Sync) this.#onSync(frame);
    else if (this.#state === 'syncing') {
      throw new SessionError(CloseCode.Protocol, `frame type ${frame.type} before the stream table`);
    } else this.#receiver.frame(frame);
  }

  #onSync(frame: Extract<Frame, { type: typeof FrameType.Sync }>): void {
    if (this.#state !== 'syncing' || this.#exchange === undefined) {
      throw new SessionError(CloseCode.Protocol, 'a stream table where none is due');
    }
    if (!this.#exchange.row(frame)) return;
    this.#state = 'up';
    if (this.#goaway !== undefined) this.#streams.outbox.add(this.#goaway);
    this.#receiver.ping();
    this.#events.push({ type: 'resumed', suspendedMs: this.#streams.now - this.#loss.at });
  }

  /** A WebSocket message ended: a frame must not lie across the end (§2.2). */
  receiveMessageEnd(): void {
    if (this.#ended || this.#state === 'suspended' || this.#decoder.atBoundary) return;
    this.#end(CloseCode.Protocol, 'a message ended inside a frame', 'us');
  }

  /** The link ended, but not with a code of ours: the session waits for another one, or ends when it does not resume. */
  linkLost(message: string, now: number, code: number = LINK_BROKE): void {
    if (this.#ended || this.#state === 'suspended') return;
    if (this.#options.resumeGraceMs === 0) {
      this.#end(code, message, 'peer');
      return;
    }
    // An exchange that was cut is begun again; the grace counts from the first loss.
    this.#loss = { at: this.#state === 'up' ? now : this.#loss.at, code };
    this.#state = 'suspended';
    this.#exchange = undefined;
    this.#streams.outbox.clear();
    this.#events.push({ type: 'suspended', message });
  }

  /** The peer closed the link with a code of ours: the session is over. */
  linkClosed(code: CloseCode, message: string): void {
    this.#end(code, message, 'peer');
  }

  /** There is a new link, and both sides have agreed to go on: the tables are exchanged. */
  resume(now: number): void {
    if (!this.suspended) throw new Error('only a suspended session can be resumed');
    this.#streams.now = now;
    this.#state = 'syncing';
    this.#decoder = new Decoder(this.#options.local.maxPayload);
    this.#liveness = new Liveness(this.#options.liveness, now);
    const emit = (event: SessionEvent): number => this.#events.push(event);
    this.#receiver.forgetPing();
    this.#exchange = new ResumeExchange(this.#streams, this.#options.local.maxStreams, this.counters, emit);
  }

  // ---- commands of the streams' owners ----------------------------------------------------------------------

  /** Opens a stream; a reason instead of a cid when it is refused here and now. */
  open(connector: string, client: string, now: number): Cid | RstReason {
    if (this.#ended || this.draining) return 'draining';
    if (this.#state !== 'up') return 'no_agent';
    this.#streams.now = now;
    return this.#streams.open(connector, client);
  }

  /** Answers an `open` event with OPENED: from now on the owner may write. */
  accept(cid: Cid, now: number): void {
    this.#streams.now = now;
    this.#streams.accept(cid);
  }

  /** Bytes that the owner may write before it should pause; at or below 0: wait for `writable`. */
  budget(cid: Cid): number {
    return this.#streams.budget(cid);
  }

  /**
   * Queues bytes for the peer and keeps the array: the caller must not change it, nor the `room` bytes before it, into
   * which headers may be written. Ignored when the stream is over.
   */
  write(cid: Cid, bytes: Uint8Array, room = 0): void {
    this.#streams.write(cid, bytes, room);
  }

  /** `release` is called with each array given to `write` once the peer has acknowledged all of it. */
  onAcknowledged(release: (chunk: Uint8Array) => void): void {
    this.#streams.release = release;
  }

  /** Ends our direction behind everything written. Ignored when it has ended. */
  finish(cid: Cid): void {
    this.#streams.finish(cid);
  }

  /** Ends the stream at once, both directions, and answers an `open` event with a refusal. No event follows. */
  reset(cid: Cid, reason: RstReason): void {
    this.#streams.reset(cid, reason);
  }

  /** The destination took `count` bytes (or, after `finished`, its FIN: 1). */
  consumed(cid: Cid, count: number, now: number): void {
    this.#streams.now = now;
    this.#streams.consumed(cid, count);
  }

  // ---- commands of the daemon -------------------------------------------------------------------------------

  /** Tells the peer to open no more streams here, and why: 4503 to drain, 1000 to move to a fresh session. */
  drain(code: CloseCode, graceMs: number): void {
    if (this.#ended || this.#goaway !== undefined) return;
    this.#goaway = { type: FrameType.Goaway, code, graceMs };
    if (this.#state === 'up') this.#streams.outbox.add(this.#goaway);
  }

  /** Sends a fresh token (§7.3); without a link the next one brings it anyway. */
  reauthenticate(token: string): void {
    if (!this.#ended && this.#state !== 'suspended') {
      this.#streams.outbox.add({ type: FrameType.Reauth, token });
    }
  }

  /** To be called a few times on a new link, best while it is idle: windows grow by the round trip. */
  measurePath(now: number): void {
    this.#streams.now = now;
    if (this.up) this.#receiver.measurePath();
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
    if (this.#ended || this.#state === 'suspended') return undefined;
    this.#streams.now = now;
    const row = this.#exchange?.poll();
    if (row !== undefined || this.#state === 'syncing') return row;
    this.#exchange = undefined;
    return this.#streams.outbox.poll();
  }

  /** When handleTimeout is due next, in milliseconds of the same clock. */
  nextDeadline(): number {
    if (this.#ended) return Infinity;
    if (this.#state === 'suspended') return this.#graceEnd;
    const link = Math.min(this.#liveness.deadline, this.#streams.creditsDueAt);
    return this.#state === 'syncing' ? Math.min(link, this.#graceEnd) : link;
  }

  get #graceEnd(): number {
    return this.#loss.at + this.#options.resumeGraceMs;
  }

  handleTimeout(now: number): void {
    if (this.#ended) return;
    this.#streams.now = now;
    if (this.#state !== 'up' && now >= this.#graceEnd) {
      const code = this.#state === 'suspended' ? this.#loss.code : CloseCode.Normal;
      this.#end(code, `not resumed within ${this.#options.resumeGraceMs} ms`, 'us');
      return;
    }
    if (this.#state === 'suspended') return;
    if (now >= this.#streams.creditsDueAt) this.#streams.flushDelayedCredits();
    if (now < this.#liveness.deadline) return;
    const state = this.#liveness.check(now);
    if (state === 'ping' && this.#state === 'up') this.#receiver.ping();
    if (state === 'dead') {
      this.#events.push({ type: 'linkDead' });
      this.linkLost(`nothing was heard for ${Math.round(this.#liveness.silence(now))} ms`, now);
    }
  }

  #end(code: number, message: string, by: 'us' | 'peer'): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#streams.endAll(code === CloseCode.Draining ? 'draining' : 'tunnel_lost');
    this.#events.push({ type: 'ended', code, message, by });
  }
}
