/** The one pump (session ⇄ link): bytes to the session, events to the streams' owners, messages to a writable link; its timer. */
import type { CloseCode, Cid, RstReason, Session, SessionEvent } from '../protocol/index.js';
import { AcknowledgedBlocks } from './acknowledged-blocks.js';
import { Alarm, type Clock } from './clock.js';
import { isProtocolCode } from './handshake-link.js';
import type { Link, LinkEnd, LinkHandlers } from './link.js';

export type StreamReset = Extract<SessionEvent, { type: 'reset' }>;
export type SessionEnd = Extract<SessionEvent, { type: 'ended' }>;
export type StreamOffer = Extract<SessionEvent, { type: 'open' }>;

/** Whoever holds the other end of a stream: a Pipe. After onReset or onClosed nothing is called any more. */
export interface StreamOwner {
  onOpened(): void;
  onData(bytes: Uint8Array): void;
  onFinished(): void;
  onWritable(): void;
  onReset(event: StreamReset): void;
  onClosed(): void;
}

export interface PumpHandlers {
  /** The peer opened a stream: answer with `accept` or `refuse`, now or later. */
  onOpen(offer: StreamOffer): void;
  onGoaway(code: number, graceMs: number): void;
  onReauth(token: string): void;
  onRoundTrip(ms: number): void;
  /** The link is lost; the streams wait for another one. */
  onSuspended(message: string): void;
  /** The session goes on over a new link. */
  onResumed(suspendedMs: number): void;
  /** The session is over; all its streams were reset. */
  onEnded(end: SessionEnd): void;
}

/** One stream of a pump, for its owner. */
export class StreamHandle {
  readonly #pump: Pump;
  readonly cid: Cid;
  constructor(pump: Pump, cid: Cid) {
    this.#pump = pump;
    this.cid = cid;
  }
  /** Bytes that may be written before the owner should pause. */
  budget(): number {
    return this.#pump.session.budget(this.cid);
  }
  /** Queues bytes and keeps the array, with the `room` bytes before it; a block is let go once the peer has it. */
  write(bytes: Uint8Array, room = 0): void {
    this.#pump.session.write(this.cid, bytes, room);
    this.#pump.kick();
  }
  finish(): void {
    this.#pump.session.finish(this.cid);
    this.#pump.kick();
  }
  consumed(count: number): void {
    this.#pump.session.consumed(this.cid, count, this.#pump.now());
    this.#pump.kick();
  }
  /** Answers the peer's OPEN with OPENED. */
  accept(): void {
    this.#pump.session.accept(this.cid, this.#pump.now());
    this.#pump.kick();
  }
  /** Ends the stream; its owner hears nothing more. */
  reset(reason: RstReason): void {
    this.#pump.forget(this.cid);
    this.#pump.session.reset(this.cid, reason);
    this.#pump.kick();
  }
}

export class Pump {
  readonly session: Session;
  readonly #clock: Clock;
  readonly #handlers: PumpHandlers;
  /** undefined while the session is suspended. */
  #link: Link | undefined;
  readonly #owners = new Map<Cid, StreamOwner>();
  readonly #alarm: Alarm;
  #flushQueued = false;
  readonly #acknowledged = new AcknowledgedBlocks();
  readonly #flush = (): void => this.#onFlush();

  constructor(session: Session, clock: Clock, handlers: PumpHandlers) {
    this.session = session;
    this.#clock = clock;
    this.#handlers = handlers;
    this.#alarm = new Alarm(clock, () => this.#onAlarm());
    session.onAcknowledged((chunk) => this.#acknowledged.add(chunk, this.#link?.startedWrites ?? 0));
  }

  get streamCount(): number {
    return this.session.streamCount;
  }
  now(): number {
    return this.#clock.now();
  }

  /** Takes the link of a fresh session, from the handshake's end on. */
  attach(link: Link): LinkHandlers {
    this.#link = link;
    this.#acknowledged.forget();
    this.kick();
    // What comes late from a link that was given up must not reach the session (§7.4).
    const current = (work: () => void) => (): void => {
      if (this.#link === link) work();
    };
    return {
      onBytes: (bytes) => {
        if (this.#link === link) this.#onBytes(bytes);
      },
      onMessageEnd: current(() => {
        this.session.receiveMessageEnd();
        this.#giveEvents();
      }),
      onWritable: current(() => this.#onFlush()),
      onEnd: (end) => {
        if (this.#link === link) this.#onLinkEnd(end);
      },
    };
  }

  /** Goes on with a suspended session over a new link. */
  resume(link: Link): LinkHandlers {
    this.session.resume(this.#clock.now());
    return this.attach(link);
  }

  /** Gives the link up, without a word to the peer: the session is suspended, or over when it does not resume. */
  dropLink(message: string): void {
    const link = this.#link;
    this.#link = undefined;
    link?.terminate();
    this.session.linkLost(message, this.#clock.now());
    this.#giveEvents();
    this.#alarm.arm(this.session.nextDeadline());
  }

  #onBytes(bytes: Uint8Array): void {
    this.session.receive(bytes, this.#clock.now());
    this.#giveEvents();
    this.kick();
  }

  #onLinkEnd(end: LinkEnd): void {
    this.#link = undefined;
    const message = end.reason === '' ? `the connection broke (${end.code})` : end.reason;
    if (isProtocolCode(end.code)) this.session.linkClosed(end.code, end.reason);
    else this.session.linkLost(message, this.#clock.now(), end.code);
    this.#giveEvents();
    this.#alarm.arm(this.session.nextDeadline());
  }

  /** Opens a stream for `owner`; a reason instead of a handle when it is refused here and now. */
  open(connector: string, client: string, owner: StreamOwner): StreamHandle | RstReason {
    const cid = this.session.open(connector, client, this.#clock.now());
    if (typeof cid === 'string') return cid;
    this.#owners.set(cid, owner);
    this.kick();
    return new StreamHandle(this, cid);
  }

  /** Takes an offered stream for `owner`, which accepts or resets it through the handle. */
  adopt(cid: Cid, owner: StreamOwner): StreamHandle {
    this.#owners.set(cid, owner);
    return new StreamHandle(this, cid);
  }

  /** Refuses an offered stream that nobody adopted. */
  refuse(cid: Cid, reason: RstReason): void {
    this.session.reset(cid, reason);
    this.kick();
  }

  /** The stream's events go nowhere from now on. */
  forget(cid: Cid): void {
    this.#owners.delete(cid);
  }

  drain(code: CloseCode, graceMs: number): void {
    this.session.drain(code, graceMs);
    this.kick();
  }

  reauthenticate(token: string): void {
    this.session.reauthenticate(token);
    this.kick();
  }

  /** To be called once a second: measures the round trip of a new link while it is still idle. */
  measurePath(): void {
    this.session.measurePath(this.now());
    this.kick();
  }

  /** Ends the session, and the link with `code`. Resolves when the link is gone. */
  async close(code: CloseCode, message: string): Promise<void> {
    const link = this.#link;
    // What is due goes first: the resets of streams, above all.
    this.#onFlush();
    this.session.close(code, message);
    this.#giveEvents();
    await link?.ended;
  }

  /** Sends what is due soon: once per turn of the event loop, so that small frames share messages. */
  kick(): void {
    if (this.#flushQueued) return;
    this.#flushQueued = true;
    setImmediate(this.#flush);
  }

  #onFlush(): void {
    this.#flushQueued = false;
    while (this.#link?.writable === true) {
      const message = this.session.pollTransmit(this.#clock.now());
      if (message === undefined) break;
      this.#link.send(message);
    }
    this.#acknowledged.letGo(this.#link?.flushedWrites ?? 0);
    this.#giveEvents();
    this.#alarm.arm(this.session.nextDeadline());
  }

  #onAlarm(): void {
    this.session.handleTimeout(this.#clock.now());
    this.#giveEvents();
    this.#onFlush();
  }

  #giveEvents(): void {
    for (let event = this.session.pollEvent(); event; event = this.session.pollEvent()) this.#give(event);
  }

  #give(event: SessionEvent): void {
    switch (event.type) {
      case 'data':
        this.#owners.get(event.cid)?.onData(event.bytes);
        return;
      case 'writable':
        this.#owners.get(event.cid)?.onWritable();
        return;
      case 'open':
        this.#handlers.onOpen(event);
        return;
      case 'opened':
        this.#owners.get(event.cid)?.onOpened();
        return;
      case 'finished':
        this.#owners.get(event.cid)?.onFinished();
        return;
      case 'reset':
        this.#take(event.cid)?.onReset(event);
        return;
      case 'closed':
        this.#take(event.cid)?.onClosed();
        return;
      case 'goaway':
        this.#handlers.onGoaway(event.code, event.graceMs);
        return;
      case 'reauth':
        this.#handlers.onReauth(event.token);
        return;
      case 'roundTrip':
        this.#handlers.onRoundTrip(event.ms);
        return;
      case 'linkDead':
        this.#giveUpLink();
        return;
      case 'suspended':
        this.#handlers.onSuspended(event.message);
        return;
      case 'resumed':
        this.#handlers.onResumed(event.suspendedMs);
        return;
      case 'ended':
        this.#onEnded(event);
        return;
    }
  }

  /** Nobody answers there: there is no use in a close frame. */
  #giveUpLink(): void {
    const link = this.#link;
    this.#link = undefined;
    link?.terminate();
  }

  #take(cid: Cid): StreamOwner | undefined {
    const owner = this.#owners.get(cid);
    this.#owners.delete(cid);
    return owner;
  }

  #onEnded(end: SessionEnd): void {
    this.#alarm.stop();
    const link = this.#link;
    this.#link = undefined;
    if (end.by === 'us') link?.close(end.code, end.message);
    this.#handlers.onEnded(end);
  }
}
