/**
 * A session with an application that does as it likes, and the checks that must hold whatever the peer sends: no
 * exception, bounded memory and answers, events in a sensible order, and nothing left at the end.
 */
import {
  CloseCode,
  FrameType,
  Session,
  type Cid,
  type SessionEvent,
  type SessionOptions,
} from '../../protocol/index.js';
import type { Prng } from './prng.js';
import { bytesOf } from '../support/transmit.js';

const WINDOW = 16_384;
const MOST_WINDOW = 65_536;
const MAX_STREAMS = 8;
const BUFFER_BYTES = 1_000_000;
/**
 * What may wait for the link: the streams' bytes with their headers, and 4,128 answers. A session that never stops
 * sending comes above it too.
 */
const MOST_WAITING_BYTES = 3 * BUFFER_BYTES;
const PAYLOAD = new Uint8Array(70_000).fill(0x62);

/** What the application knows of a stream, and what has gone over the link. */
export interface Life {
  accepted: boolean;
  finished: boolean;
  peerFinished: boolean;
  unconsumed: number;
  /** Offset behind what was sent; the FIN counts one. */
  sent: number;
  /** Highest offset that the peer may send. */
  limit: number;
}

function fail(what: string): never {
  throw new Error(what);
}

export class FuzzedSession {
  readonly role: 'hub' | 'agent';
  readonly session: Session;
  now = 0;
  readonly lives = new Map<Cid, Life>();
  /** The code with which the session ended. */
  endCode: number | undefined;
  /** How often each event came. */
  readonly seen: Map<SessionEvent['type'], number>;
  readonly #random: Prng;
  /** The link takes nothing: the peer does not read. */
  readonly #deaf: boolean;
  readonly #budget = { heldBytes: 0, limitBytes: 4_000_000 };
  #endedEvents = 0;

  /** @param seen counts are added to it */
  constructor(
    role: 'hub' | 'agent',
    random: Prng,
    resumeGraceMs: number,
    seen: FuzzedSession['seen'] = new Map<SessionEvent['type'], number>(),
  ) {
    this.role = role;
    this.seen = seen;
    this.#random = random;
    this.#deaf = random.once(10);
    const limits = { windowBytes: WINDOW, maxStreams: MAX_STREAMS, maxPayload: 65_536 };
    const options: SessionOptions = {
      role,
      local: limits,
      peer: limits,
      windowBytes: WINDOW,
      maxWindowBytes: MOST_WINDOW,
      bufferBytes: BUFFER_BYTES,
      processBudget: this.#budget,
      liveness: { pingIntervalMs: 10_000, pingTimeoutMs: 25_000 },
      acceptsOpens: role === 'agent',
      paced: true,
      resumeGraceMs,
    };
    this.session = new Session(options, this.now);
  }

  /** Takes one message of the peer's, in pieces of at most `pieceBytes`. */
  receive(message: Uint8Array, pieceBytes = Infinity): void {
    for (let at = 0; at < message.length; at += pieceBytes) {
      this.session.receive(message.subarray(at, Math.min(message.length, at + pieceBytes)), this.now);
    }
    this.session.receiveMessageEnd();
    this.check();
  }

  /** The application does something, time goes by, and what is due is sent. Returns the messages. */
  act(): Uint8Array[] {
    const random = this.#random;
    if (this.role === 'hub' && random.once(4)) this.#open();
    for (const [cid, life] of this.lives) if (random.once(3)) this.#actOn(cid, life);
    this.now += random.pick([0, 0, 1, 30]);
    if (this.session.nextDeadline() <= this.now) this.session.handleTimeout(this.now);
    const messages = this.#deaf || random.once(5) ? [] : this.#transmit();
    this.check();
    return messages;
  }

  #open(): void {
    const cid = this.session.open('db', '127.0.0.1:1', this.now);
    if (typeof cid === 'number') this.lives.set(cid, newLife(true));
  }

  #actOn(cid: Cid, life: Life): void {
    const random = this.#random;
    switch (random.below(8)) {
      case 0:
        this.session.accept(cid, this.now);
        life.accepted = true;
        return;
      case 1:
      case 2:
        if (life.accepted && !life.finished && this.session.budget(cid) > 0) {
          const length = random.once(6) ? random.below(70_000) : random.below(100);
          this.session.write(cid, PAYLOAD.subarray(0, length));
        }
        return;
      case 3:
        if (!life.accepted) return;
        this.session.finish(cid);
        life.finished = true;
        return;
      case 4:
        if (!random.once(4)) return;
        this.session.reset(cid, 'internal');
        this.lives.delete(cid);
        return;
      default: {
        const count = random.once(2) ? life.unconsumed : random.below(life.unconsumed + 1);
        this.session.consumed(cid, count, this.now);
        life.unconsumed -= count;
      }
    }
  }

  /** Sends all that is due, which must not be more than what may wait. */
  #transmit(): Uint8Array[] {
    const messages: Uint8Array[] = [];
    let total = 0;
    for (
      let message = this.session.pollTransmit(this.now);
      message !== undefined;
      message = this.session.pollTransmit(this.now)
    ) {
      const bytes = bytesOf(message);
      if (bytes.length === 0 || bytes.length > 262_144) fail(`a message of ${bytes.length} bytes`);
      total += bytes.length;
      if (total > MOST_WAITING_BYTES) fail(`more than ${total} bytes waited for the link`);
      this.#readFrames(bytes);
      messages.push(bytes);
    }
    return messages;
  }

  /** Follows what the session tells its peer, from the headers in a message. */
  #readFrames(message: Uint8Array): void {
    const view = new DataView(message.buffer, message.byteOffset, message.length);
    for (let at = 0; at < message.length;) {
      const length = view.getUint32(at) >>> 8;
      const life = this.lives.get(view.getUint32(at + 5));
      const type = message[at + 3];
      if (life !== undefined) {
        if (type === FrameType.Data) life.sent = Number(view.getBigUint64(at + 9)) + length - 8;
        if (type === FrameType.Fin) life.sent = Number(view.getBigUint64(at + 9)) + 1;
        if (type === FrameType.Opened) life.limit = Number(view.getBigUint64(at + 9));
        if (type === FrameType.Credit) life.limit = Number(view.getBigUint64(at + 17));
      }
      at += 9 + length;
    }
  }

  /** Takes the events and checks what must hold at every moment. */
  check(): void {
    for (let event = this.session.pollEvent(); event; event = this.session.pollEvent()) this.#onEvent(event);
    const { session } = this;
    if (session.ended !== (this.#endedEvents === 1)) fail('ended without its event, or the other way round');
    if (session.streamCount > MAX_STREAMS) fail(`${session.streamCount} streams`);
    let unconsumed = 0;
    for (const life of this.lives.values()) {
      if (life.unconsumed > MOST_WINDOW + 1) fail(`${life.unconsumed} bytes above the window`);
      unconsumed += life.unconsumed;
    }
    const { send, receive } = session.held;
    if (receive !== unconsumed) fail(`counts ${receive} received bytes where ${unconsumed} are held`);
    if (send < 0 || this.#budget.heldBytes !== send + receive) fail('the memory does not add up');
    if (session.ended && (session.heldBytes !== 0 || session.streamCount !== 0))
      fail('something is left at the end');
  }

  #onEvent(event: SessionEvent): void {
    if (this.#endedEvents > 0) fail(`${event.type} after the end`);
    this.seen.set(event.type, (this.seen.get(event.type) ?? 0) + 1);
    if (event.type === 'ended') {
      this.#endedEvents++;
      this.endCode = event.code;
    }
    if (!('cid' in event)) return;
    if (event.type === 'open') {
      if (this.lives.has(event.cid) || this.role === 'hub') fail('an open that must not be');
      this.lives.set(event.cid, newLife(false));
      return;
    }
    const life = this.lives.get(event.cid) ?? fail(`${event.type} for a stream that is over`);
    switch (event.type) {
      case 'data':
        if (life.peerFinished) fail('data after the end of the direction');
        life.unconsumed += event.bytes.length;
        return;
      case 'finished':
        if (life.peerFinished) fail('a direction ended twice');
        life.peerFinished = true;
        life.unconsumed += 1;
        return;
      case 'closed':
        if (!life.finished || !life.peerFinished || life.unconsumed > 0) fail('closed too early');
        this.lives.delete(event.cid);
        return;
      case 'reset':
        this.lives.delete(event.cid);
        return;
      default:
    }
  }

  /** The end, if it is not there yet. */
  close(): void {
    this.#transmit();
    this.session.close(CloseCode.Normal, 'the test is over');
    this.check();
    if (this.#endedEvents !== 1) fail('the session did not end');
  }
}

function newLife(accepted: boolean): Life {
  return { accepted, finished: false, peerFinished: false, unconsumed: 0, sent: 0, limit: WINDOW };
}
