/**
 * Two sessions against each other on virtual time: no sockets, no sleeps. The link between them has a delay, may cut
 * messages into pieces, and may stop taking messages from one side, as a full socket does.
 */
import {
  Session,
  type Cid,
  type PeerLimits,
  type RstReason,
  type SessionEvent,
  type SessionOptions,
} from '../../protocol/index.js';
import { bytesOf } from './transmit.js';

/** Window of every stream unless a test says otherwise, in bytes. */
export const WINDOW = 65_536;

export interface SimSideOptions extends Partial<Omit<SessionOptions, 'role' | 'local' | 'peer'>> {
  /** What this side says in its HELLO or HELLO_ACK. */
  readonly limits?: Partial<PeerLimits>;
}

export interface SimOptions {
  /** One-way delay of the link, in milliseconds; default 0. */
  readonly latencyMs?: number;
  /** Largest piece that the link hands on at once, in bytes; a function is asked for each piece. Default: whole messages. */
  readonly sliceBytes?: number | (() => number);
  readonly hub?: SimSideOptions;
  readonly agent?: SimSideOptions;
  /** Whether the sides consume what they receive at once; default true. */
  readonly autoConsume?: boolean;
  /** How many bytes of a piece still arrive; fewer than all of them: the link breaks there. Default: all. */
  readonly survives?: (from: 'hub' | 'agent', length: number) => number;
  /** Sees each message as it leaves. */
  readonly onMessage?: (from: 'hub' | 'agent', bytes: Uint8Array) => void;
  /** A link that is not honest: what becomes of each message. For tests that must notice it. */
  readonly tamper?: (bytes: Uint8Array) => readonly Uint8Array[];
}

const LIMITS: PeerLimits = { windowBytes: WINDOW, maxStreams: 1000, maxPayload: 65_536 };

function sessionOptions(
  role: 'hub' | 'agent',
  own: SimSideOptions = {},
  other: SimSideOptions = {},
): SessionOptions {
  const { limits, ...override } = own;
  return {
    role,
    local: { ...LIMITS, ...limits },
    peer: { ...LIMITS, ...other.limits },
    windowBytes: WINDOW,
    maxWindowBytes: WINDOW,
    bufferBytes: 64 * 1024 * 1024,
    processBudget: { heldBytes: 0, limitBytes: 256 * 1024 * 1024 },
    liveness: { pingIntervalMs: 10_000, pingTimeoutMs: 25_000 },
    acceptsOpens: role === 'agent',
    paced: true,
    resumeGraceMs: 0,
    ...override,
  };
}

/** One side: its session, what it received by stream, and all its events. */
export class SimSide {
  readonly session: Session;
  readonly events: SessionEvent[] = [];
  readonly #received = new Map<Cid, Uint8Array[]>();
  readonly #unconsumed = new Map<Cid, number>();
  readonly #sim: SimPair;
  readonly #autoConsume: boolean;

  constructor(sim: SimPair, session: Session, autoConsume: boolean) {
    this.#sim = sim;
    this.session = session;
    this.#autoConsume = autoConsume;
  }

  /** Opens a stream and returns its cid; throws when it was refused here. */
  open(connector: string): Cid {
    const cid = this.session.open(connector, '127.0.0.1:1', this.#sim.now);
    if (typeof cid === 'string') throw new Error(`open was refused: ${cid}`);
    return cid;
  }
  accept(cid: Cid): void {
    this.session.accept(cid, this.#sim.now);
  }
  write(cid: Cid, bytes: Uint8Array): void {
    this.session.write(cid, bytes);
  }
  finish(cid: Cid): void {
    this.session.finish(cid);
  }
  reset(cid: Cid, reason: RstReason): void {
    this.session.reset(cid, reason);
    this.#unconsumed.delete(cid);
  }
  /** Takes up to `count` of what is there (a FIN counts one); returns how many it was. */
  consume(cid: Cid, count: number): number {
    const there = this.unconsumed(cid);
    const taken = Math.min(count, there);
    this.#unconsumed.set(cid, there - taken);
    this.session.consumed(cid, taken, this.#sim.now);
    return taken;
  }
  /** Bytes, and the FIN, that were received and not consumed. */
  unconsumed(cid: Cid): number {
    return this.#unconsumed.get(cid) ?? 0;
  }
  /** Everything received on a stream, joined. */
  bytesOf(cid: Cid): Uint8Array {
    return Buffer.concat(this.#received.get(cid) ?? []);
  }
  ofType<T extends SessionEvent['type']>(type: T): Extract<SessionEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<SessionEvent, { type: T }> => event.type === type);
  }
  resets(): { cid: Cid; reason: RstReason }[] {
    return this.ofType('reset').map(({ cid, reason }) => ({ cid, reason }));
  }
  /** How the session ended: its code; undefined while it goes on. */
  endCode(): number | undefined {
    return this.ofType('ended')[0]?.code;
  }

  takeEvents(): void {
    for (let event = this.session.pollEvent(); event; event = this.session.pollEvent()) {
      this.events.push(event);
      if (event.type === 'data') this.#onData(event.cid, event.bytes);
      else if (event.type === 'finished') this.#onArrived(event.cid, 1);
      else if (event.type === 'reset' || event.type === 'closed') this.#unconsumed.delete(event.cid);
    }
  }

  #onData(cid: Cid, bytes: Uint8Array): void {
    const pieces = this.#received.get(cid) ?? [];
    // A view of the link's bytes, which nobody may keep.
    pieces.push(bytes.slice());
    this.#received.set(cid, pieces);
    this.#onArrived(cid, bytes.length);
  }

  #onArrived(cid: Cid, count: number): void {
    this.#unconsumed.set(cid, this.unconsumed(cid) + count);
    if (this.#autoConsume) this.consume(cid, count);
  }
}

interface Flight {
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

/** One direction of the link. */
class Wire {
  readonly from: SimSide;
  readonly to: SimSide;
  /** True while it takes no messages. */
  paused = false;
  readonly flights: Flight[] = [];

  constructor(from: SimSide, to: SimSide) {
    this.from = from;
    this.to = to;
  }

  /** Sends one message, in pieces. */
  carry(message: Uint8Array, at: number, pieceBytes: () => number): void {
    // A shorter delay than before does not overtake.
    const arrival = Math.max(at, this.flights.at(-1)?.at ?? 0);
    for (let start = 0; start < message.length;) {
      const end = Math.min(message.length, start + pieceBytes());
      this.flights.push({ at: arrival, bytes: message.subarray(start, end), last: end === message.length });
      start = end;
    }
  }

  /** Hands on what is due, as far as it survives. */
  deliver(now: number, survives: (length: number) => number): 'nothing' | 'something' | 'broke' {
    let due = 0;
    for (
      let flight = this.flights[due];
      flight !== undefined && flight.at <= now;
      flight = this.flights[due]
    ) {
      due++;
      const length = survives(flight.bytes.length);
      if (length > 0) this.to.session.receive(flight.bytes.subarray(0, length), now);
      if (length === flight.bytes.length && flight.last) this.to.session.receiveMessageEnd();
      this.to.takeEvents();
      if (length < flight.bytes.length) return 'broke';
    }
    this.flights.splice(0, due);
    return due > 0 ? 'something' : 'nothing';
  }
}

export class SimPair {
  now = 0;
  latencyMs: number;
  readonly hub: SimSide;
  readonly agent: SimSide;
  /** Bytes that crossed the link, both directions. */
  linkBytes = 0;
  readonly #pieceBytes: () => number;
  readonly #survives: NonNullable<SimOptions['survives']>;
  readonly #onMessage: SimOptions['onMessage'];
  readonly #tamper: NonNullable<SimOptions['tamper']>;
  readonly #wires: readonly [hubToAgent: Wire, agentToHub: Wire];
  /** What is sent goes nowhere. */
  #broken = false;

  constructor(sim: SimOptions = {}) {
    this.latencyMs = sim.latencyMs ?? 0;
    const { sliceBytes = Infinity, autoConsume = true } = sim;
    this.#pieceBytes = typeof sliceBytes === 'number' ? () => sliceBytes : sliceBytes;
    this.#survives = sim.survives ?? ((_from, length) => length);
    this.#onMessage = sim.onMessage;
    this.#tamper = sim.tamper ?? ((bytes) => [bytes]);
    this.hub = new SimSide(this, new Session(sessionOptions('hub', sim.hub, sim.agent), 0), autoConsume);
    this.agent = new SimSide(this, new Session(sessionOptions('agent', sim.agent, sim.hub), 0), autoConsume);
    this.#wires = [new Wire(this.hub, this.agent), new Wire(this.agent, this.hub)];
  }

  get sides(): readonly [SimSide, SimSide] {
    return [this.hub, this.agent];
  }

  /** Opens a stream from the hub, accepts it at the agent, and lets both know. */
  openAccepted(connector = 'db'): Cid {
    const cid = this.hub.open(connector);
    this.runUntilIdle();
    this.agent.accept(cid);
    this.runUntilIdle();
    return cid;
  }

  /** Stops (or lets go on) what `from` sends: its link is not writable. What is under way arrives. */
  pause(from: SimSide, paused = true): void {
    for (const wire of this.#wires) if (wire.from === from) wire.paused = paused;
  }

  /**
   * Breaks the link: what was under way is lost, and both sides are told, or only one: the other goes on sending into
   * nothing. Without `resumeGraceMs` it ends those that are told.
   */
  cut(told: readonly SimSide[] = this.sides): void {
    this.#broken = true;
    for (const wire of this.#wires) wire.flights.length = 0;
    for (const side of told) this.#lose(side, 'cut');
  }

  #lose(side: SimSide, why: string): void {
    side.session.linkLost(why, this.now);
    side.takeEvents();
  }

  /** Gives both sides a new link, as after HELLO and HELLO_ACK with `resumed`; what was on an old one is lost. */
  reconnect(): void {
    this.#broken = false;
    for (const wire of this.#wires) wire.flights.length = 0;
    for (const side of this.sides) {
      if (!side.session.suspended) this.#lose(side, 'there is a new link');
      side.session.resume(this.now);
    }
  }

  /** Moves what is due without letting time pass; returns whether anything moved. */
  step(): boolean {
    let moved = false;
    for (const wire of this.#wires) {
      const from = wire.from === this.hub ? 'hub' : 'agent';
      wire.from.takeEvents();
      const message = wire.paused ? undefined : wire.from.session.pollTransmit(this.now);
      if (message !== undefined) {
        moved = true;
        const bytes = bytesOf(message);
        this.linkBytes += bytes.length;
        this.#onMessage?.(from, bytes);
        for (const one of this.#broken ? [] : this.#tamper(bytes)) {
          wire.carry(one, this.now + this.latencyMs, this.#pieceBytes);
        }
      }
      const delivered = wire.deliver(this.now, (length) => this.#survives(from, length));
      if (delivered !== 'nothing') moved = true;
      if (delivered === 'broke') this.cut();
    }
    return moved;
  }

  /** Lets time pass until nothing but the liveness timers is left. Throws when that takes more than `limitMs`. */
  runUntilIdle(limitMs = 60_000): void {
    const end = this.now + limitMs;
    while (this.now < end) {
      if (this.step()) continue;
      const next = this.#nextMoment();
      if (next === undefined) return;
      this.advance(next - this.now);
    }
    throw new Error(`still busy after ${limitMs} ms of virtual time`);
  }

  /** When something happens next: an arrival, or a timer within a second (later ones are liveness). */
  #nextMoment(): number | undefined {
    const arrivals = this.#wires.map((wire) => wire.flights[0]?.at ?? Infinity);
    const timer = Math.min(...this.sides.map(({ session }) => session.nextDeadline()));
    const next = Math.min(...arrivals, timer - this.now <= 1000 ? timer : Infinity);
    return next === Infinity ? undefined : next;
  }

  /** Lets `ms` pass at once, then fires the timers that are due. */
  advance(ms: number): void {
    this.now += ms;
    for (const side of this.sides) {
      if (side.session.nextDeadline() <= this.now) side.session.handleTimeout(this.now);
      side.takeEvents();
    }
  }
}
