/** The streams of a session and what their owners may do with them; flow control, scheduling and memory come together here. */
import type { Grant } from '../stream/receive-window.js';
import type { Release } from '../stream/send-buffer.js';
import { Stream } from '../stream/stream.js';
import { StreamTable, type Role } from '../stream/stream-table.js';
import { FrameType, type RstReason } from '../wire/constants.js';
import type { Cid, OpenFrame } from '../wire/frame.js';
import type { PeerLimits } from '../wire/hello.js';
import type { SessionCounters, SessionEvent } from './events.js';
import { Flight } from './flight.js';
import { MemoryMeter, type ProcessBudget } from './memory.js';
import { Outbox } from './outbox.js';
import { Scheduler } from './scheduler.js';
import type { Tombstones } from './tombstones.js';

export interface StreamSetOptions {
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
  /** Both sides answer PINGs that go with DATA (§7.1). */
  readonly paced: boolean;
  /** For tests: the first cid of our own. */
  readonly firstCid?: Cid;
}

/** Of what a session may hold, so much may be under way: the rest is for what waits for its turn. */
const UNDER_WAY_SHARE = 1 / 2;
/** Unsent bytes of one stream above which its owner is asked to pause when memory is short. */
const PRESSED_QUEUE_BYTES = 16_384;
/** How long small progress waits for company before it is announced. */
const CREDIT_DELAY_MS = 20;
/** Control frames that may wait for the link: more means that the peer asks and does not read. */
const CONTROL_PER_STREAM = 4;
const CONTROL_SPARE = 4096;
/** From this share of them on no stream is opened, so that our own opens never count as the peer's flooding. */
const CONTROL_SHARE_FOR_OPENS = 0.5;
/** Round trip that is told until the first PONG, in milliseconds; no window grows or shrinks by it. */
const FIRST_ROUND_TRIP_MS = 100;

export class StreamSet {
  readonly table: StreamTable;
  readonly memory: MemoryMeter;
  readonly outbox: Outbox;
  /** Streams that are over and may have to be explained at a resume. */
  readonly tombstones: Tombstones;
  /** Time of the call under way, in milliseconds. */
  now: number;
  roundTripMs = FIRST_ROUND_TRIP_MS;
  /** Somebody sends as much as a window allows: worth knowing the path well. */
  onWindowUsed: () => void = () => undefined;
  /** Told of each array of an owner's that the peer has acknowledged. */
  release: Release | undefined;
  readonly flight: Flight;
  /** Bulk is held back, and much of it has no PING behind it whose PONG would say when it may go on. */
  onHeld: () => void = () => undefined;
  readonly #options: StreamSetOptions;
  readonly #counters: SessionCounters;
  readonly #emit: (event: SessionEvent) => void;
  readonly #scheduler: Scheduler;
  readonly #mostControl: number;
  #delayedCredits: Stream[] = [];
  #creditsDueAt = Infinity;

  constructor(
    options: StreamSetOptions,
    counters: SessionCounters,
    emit: (event: SessionEvent) => void,
    tombstones: Tombstones,
    now: number,
  ) {
    this.#options = options;
    this.#counters = counters;
    this.#emit = emit;
    this.tombstones = tombstones;
    this.now = now;
    this.table = new StreamTable(options.role, options.firstCid);
    this.memory = new MemoryMeter(options.bufferBytes, options.processBudget);
    this.flight = new Flight(options.paced, options.bufferBytes * UNDER_WAY_SHARE);
    this.#scheduler = new Scheduler({
      mayGo: () => this.#bulkMayGo(),
      frame: () => this.flight.frame(this.now),
    });
    this.#mostControl = CONTROL_SPARE + CONTROL_PER_STREAM * options.local.maxStreams;
    this.outbox = new Outbox(
      this.#scheduler,
      {
        grant: (stream) => this.grant(stream),
        sent: (stream, bytes, fin) => this.#onSent(stream, bytes, fin),
        mark: (bytes) => this.flight.bulk(bytes, this.now),
      },
      options.peer.maxPayload,
    );
  }

  /** The peer asks for more answers than it takes. */
  get flooded(): boolean {
    return this.outbox.waiting > this.#mostControl;
  }
  /** When flushDelayedCredits is due. */
  get creditsDueAt(): number {
    return this.#creditsDueAt;
  }

  // ---- for the owners of streams --------------------------------------------------------------------------

  /** Opens a stream; a reason instead of a cid when it is refused here and now. */
  open(connector: string, client: string): Cid | RstReason {
    const most = Math.min(this.#options.local.maxStreams, this.#options.peer.maxStreams);
    if (this.table.size >= most || this.memory.exhausted) return 'limit';
    if (this.outbox.waiting > this.#mostControl * CONTROL_SHARE_FOR_OPENS) return 'limit';
    const cid = this.table.takeOwn();
    if (cid === undefined) return 'draining';
    const window = this.#openWindow();
    const peerLimit = this.#options.peer.windowBytes;
    const stream = new Stream({ cid, connector, client, openState: 'opening', peerLimit, window }, this.now);
    this.table.add(stream);
    this.announce(stream);
    return cid;
  }

  /** Sends OPEN, or sends it again when it went down with a link. */
  announce({ cid, connector, client, receive }: Stream): void {
    this.outbox.add({ type: FrameType.Open, cid, connector, client, window: receive.limit });
  }

  /** Takes an OPEN of the peer's, whose cid is new; the owner is asked. Returns why not, when it is refused. */
  offer({ cid, connector, client, window: peerLimit }: OpenFrame): RstReason | undefined {
    if (this.table.size >= this.#options.local.maxStreams || this.memory.exhausted) return 'limit';
    const window = this.#options.local.windowBytes;
    this.table.add(new Stream({ cid, connector, client, openState: 'offered', peerLimit, window }, this.now));
    this.#emit({ type: 'open', cid, connector, client });
    return undefined;
  }

  accept(cid: Cid): void {
    const stream = this.table.get(cid);
    if (!stream?.tryOpen('accept')) return;
    const { limit } = stream.receive.openTo(this.#openWindow(), this.now);
    this.outbox.add({ type: FrameType.Opened, cid, window: limit });
  }

  budget(cid: Cid): number {
    const stream = this.table.get(cid);
    if (stream === undefined) return 0;
    const room = this.#roomOf(stream);
    // Whoever learns here that there is none waits for `writable`, also when nothing was written before.
    if (room <= 0) stream.ownerPaused = true;
    return room;
  }

  /** What the peer grants, but not more than we want to keep for it: it may grant without end and acknowledge nothing. */
  #roomOf({ buffer, peerLimit }: Stream): number {
    const { windowBytes, maxWindowBytes } = this.#options;
    const { pressed } = this.memory;
    const unsent = (pressed ? PRESSED_QUEUE_BYTES : this.flight.queue(this.now)) - buffer.unsent;
    const kept = (pressed ? windowBytes : maxWindowBytes) - buffer.held;
    return Math.min(peerLimit - buffer.written, unsent, kept);
  }

  write(cid: Cid, bytes: Uint8Array, room: number): void {
    const stream = this.table.get(cid);
    if (stream === undefined) return;
    if (!stream.tryOpen('write') || !stream.trySend('write')) {
      throw new Error(`write on stream ${cid}, which is ${stream.openState} and ${stream.sendState}`);
    }
    stream.buffer.write(bytes, room);
    this.memory.addSend(bytes.length);
    if (this.#roomOf(stream) <= 0) stream.ownerPaused = true;
    this.#scheduler.activate(stream);
  }

  finish(cid: Cid): void {
    const stream = this.table.get(cid);
    if (stream === undefined) return;
    if (!stream.tryOpen('write')) throw new Error(`finish on stream ${cid}, which is not accepted`);
    if (stream.trySend('finish')) this.#scheduler.activate(stream);
  }

  reset(cid: Cid, reason: RstReason): void {
    const stream = this.table.get(cid);
    if (stream === undefined) return;
    this.#forget(stream);
    this.refuse(cid, reason, stream.openState === 'open');
  }

  /** Sends RST for a stream that is over here, or never began. */
  refuse(cid: Cid, reason: RstReason, opened = false): void {
    this.#sendRst(cid, reason);
    this.tombstones.add(cid, { opened, reason }, this.flight.pings);
  }

  consumed(cid: Cid, count: number): void {
    const stream = this.table.get(cid);
    if (stream === undefined || count === 0) return;
    stream.receive.consume(count);
    if (stream.receive.drained) stream.tryReceive('drained');
    this.memory.addReceive(-count);
    if (stream.receive.urgent) this.outbox.addCredit(stream);
    else if (!stream.creditQueued && !stream.creditDelayed) {
      stream.creditDelayed = true;
      this.#delayedCredits.push(stream);
      this.#creditsDueAt = Math.min(this.#creditsDueAt, this.now + CREDIT_DELAY_MS);
    }
  }

  // ---- for the session ------------------------------------------------------------------------------------

  flushDelayedCredits(): void {
    for (const stream of this.#delayedCredits) {
      stream.creditDelayed = false;
      if (stream.receive.unannounced && !stream.isReset) this.outbox.addCredit(stream);
    }
    this.#delayedCredits = [];
    this.#creditsDueAt = Infinity;
  }

  /** The numbers that the peer is told now; may complete the stream. */
  grant(stream: Stream): Grant {
    const { pressed } = this.memory;
    const growTo = pressed ? 0 : this.#options.maxWindowBytes;
    const grant = stream.receive.grant(this.now, this.flight.path.latestMs, growTo, pressed);
    if (stream.receive.usedUp) this.onWindowUsed();
    this.settle(stream);
    return grant;
  }

  #bulkMayGo(): boolean {
    if (this.flight.mayGo(this.now)) return true;
    if (this.flight.pingDue(this.now)) this.onHeld();
    return false;
  }

  #onSent(stream: Stream, bytes: number, fin: boolean): void {
    if (stream.queue === 'interactive') this.flight.small(this.now);
    if (fin) this.#counters.finSent++;
    if (bytes > 0) this.#roomMade(stream);
  }

  /** More may be sent on the stream: gives it its turn, and wakes an owner that paused. */
  progress(stream: Stream): void {
    this.#scheduler.activate(stream);
    this.#roomMade(stream);
  }

  #roomMade(stream: Stream): void {
    if (!stream.ownerPaused || stream.sendState !== 'open' || this.#roomOf(stream) <= 0) return;
    stream.ownerPaused = false;
    this.#emit({ type: 'writable', cid: stream.cid });
  }

  /** Takes the stream out when both directions are done. */
  settle(stream: Stream): void {
    if (!stream.complete || !this.table.remove(stream.cid)) return;
    this.tombstones.add(stream.cid, { opened: true, reason: undefined }, this.flight.pings);
    this.#emit({ type: 'closed', cid: stream.cid });
  }

  #sendRst(cid: Cid, reason: RstReason): void {
    this.#counters.rstSent++;
    this.outbox.add({ type: FrameType.Rst, cid, reason });
  }

  /** Ends a stream that the owner did not end itself, and tells the peer unless it is the peer who ended it. */
  resetStream(stream: Stream, reason: RstReason, by: 'peer' | 'session'): void {
    const opened = stream.openState === 'open';
    if (by === 'session') this.refuse(stream.cid, reason, opened);
    this.#drop(stream, reason, by, stream.openState === 'opening');
  }

  /** Ends a stream of which the peer says nothing: only what was never handed to a link surely reached no target. */
  lose(stream: Stream, reason: RstReason): void {
    const unsent = stream.buffer.sent === 0 && !stream.finSent;
    this.#drop(stream, reason, 'session', stream.openState === 'opening' && unsent);
  }

  /** Ends every stream: the session is over, nobody is told. */
  endAll(reason: RstReason): void {
    for (const stream of [...this.table.values()]) this.lose(stream, reason);
    this.outbox.clear();
  }

  #drop(stream: Stream, reason: RstReason, by: 'peer' | 'session', beforeOpened: boolean): void {
    const unacknowledged = this.#forget(stream);
    this.#emit({ type: 'reset', cid: stream.cid, reason, by, beforeOpened, unacknowledged });
  }

  #openWindow(): number {
    return this.memory.pressed
      ? Math.min(PRESSED_QUEUE_BYTES, this.#options.windowBytes)
      : this.#options.windowBytes;
  }

  #forget(stream: Stream): readonly Uint8Array[] {
    this.table.remove(stream.cid);
    this.memory.addSend(-stream.buffer.held);
    this.memory.addReceive(-stream.receive.held);
    stream.trySend('reset');
    stream.tryReceive('reset');
    return stream.buffer.drain();
  }
}
