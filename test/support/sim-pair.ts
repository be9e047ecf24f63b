/** Two sessions against each other on virtual time: no sockets, no sleeps. */
import { Session, type Cid, type RstReason, type SessionEvent, type SessionOptions } from '../../protocol/index.js';

export const WINDOW = 65_536;

export interface SimOptions {
  /** One-way delay of the link, in milliseconds. */
  readonly latencyMs?: number;
  /** Largest piece that the link hands on at once, in bytes; default: whole messages. */
  readonly sliceBytes?: number;
  readonly hub?: Partial<SessionOptions>;
  readonly agent?: Partial<SessionOptions>;
  /** Whether the sides consume what they receive at once; default true. */
  readonly autoConsume?: boolean;
}

const LIMITS = { windowBytes: WINDOW, maxStreams: 1000, maxPayload: 65_536 };

function options(role: 'hub' | 'agent', override: Partial<SessionOptions> | undefined): SessionOptions {
  return {
    role,
    local: LIMITS,
    peer: LIMITS,
    windowBytes: WINDOW,
    maxWindowBytes: WINDOW,
    bufferBytes: 64 * 1024 * 1024,
    processBudget: { heldBytes: 0, limitBytes: 256 * 1024 * 1024 },
    liveness: { pingIntervalMs: 10_000, pingTimeoutMs: 25_000 },
    acceptsOpens: role === 'agent',
    ...override,
  };
}

/** One side: its session, what it received by stream, and all its events. */
export class SimSide {
  readonly session: Session;
  readonly events: SessionEvent[] = [];
  readonly received = new Map<Cid, Uint8Array[]>();
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
  consume(cid: Cid, count: number): void {
    this.session.consumed(cid, count, this.#sim.now);
  }
  /** Everything received on a stream, joined. */
  bytesOf(cid: Cid): Uint8Array {
    return Buffer.concat(this.received.get(cid) ?? []);
  }
  ofType<T extends SessionEvent['type']>(type: T): Extract<SessionEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<SessionEvent, { type: T }> => event.type === type);
  }
  resets(): { cid: Cid; reason: RstReason }[] {
    return this.ofType('reset').map(({ cid, reason }) => ({ cid, reason }));
  }

  takeEvents(): void {
    for (let event = this.session.pollEvent(); event; event = this.session.pollEvent()) {
      this.events.push(event);
      if (event.type === 'data') {
        const pieces = this.received.get(event.cid) ?? [];
        pieces.push(event.bytes.slice());
        this.received.set(event.cid, pieces);
        if (this.#autoConsume) this.consume(event.cid, event.bytes.length);
      }
      if (event.type === 'finished' && this.#autoConsume) this.consume(event.cid, 1);
    }
  }
}

interface Flight {
  readonly at: number;
  readonly to: SimSide;
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

export class SimPair {
  now = 0;
  readonly hub: SimSide;
  readonly agent: SimSide;
  readonly #latencyMs: number;
  readonly #sliceBytes: number;
  readonly #flights: Flight[] = [];
  /** Bytes that crossed the link, both directions. */
  linkBytes = 0;

  constructor(sim: SimOptions = {}) {
    this.#latencyMs = sim.latencyMs ?? 0;
    this.#sliceBytes = sim.sliceBytes ?? Infinity;
    const auto = sim.autoConsume ?? true;
    this.hub = new SimSide(this, new Session(options('hub', sim.hub), 0), auto);
    this.agent = new SimSide(this, new Session(options('agent', sim.agent), 0), auto);
  }

  /** Moves what is due without letting time pass; returns whether anything moved. */
  step(): boolean {
    let moved = false;
    for (const [from, to] of [
      [this.hub, this.agent],
      [this.agent, this.hub],
    ] as const) {
      from.takeEvents();
      const message = from.session.pollTransmit(this.now);
      if (message === undefined) continue;
      moved = true;
      const bytes = Buffer.concat([message.head, message.body ?? Buffer.alloc(0)]);
      this.linkBytes += bytes.length;
      for (let at = 0; at < bytes.length; at += this.#sliceBytes) {
        const piece = bytes.subarray(at, Math.min(bytes.length, at + this.#sliceBytes));
        const last = at + this.#sliceBytes >= bytes.length;
        this.#flights.push({ at: this.now + this.#latencyMs, to, bytes: piece, last });
      }
    }
    while (this.#flights[0] !== undefined && this.#flights[0].at <= this.now) {
      const flight = this.#flights.shift()!;
      flight.to.session.receive(flight.bytes, this.now);
      if (flight.last) flight.to.session.receiveMessageEnd();
      flight.to.takeEvents();
      moved = true;
    }
    return moved;
  }

  /** Lets time pass until nothing but the liveness timers is left, at most `limitMs`. */
  runUntilIdle(limitMs = 60_000): void {
    const end = this.now + limitMs;
    while (this.now < end) {
      if (this.step()) continue;
      const next = this.#flights[0]?.at ?? this.#soonDeadline();
      if (next === undefined || next > end) return;
      this.advance(next - this.now);
    }
    throw new Error(`still busy after ${limitMs} ms of virtual time`);
  }

  /** Deadlines within a second are work under way; later ones are liveness. */
  #soonDeadline(): number | undefined {
    const next = Math.min(this.hub.session.nextDeadline(), this.agent.session.nextDeadline());
    return next - this.now <= 1000 ? next : undefined;
  }

  /** Lets `ms` pass at once, then fires the timers that are due. */
  advance(ms: number): void {
    this.now += ms;
    for (const side of [this.hub, this.agent]) {
      if (side.session.nextDeadline() <= this.now) side.session.handleTimeout(this.now);
      side.takeEvents();
    }
  }
}
