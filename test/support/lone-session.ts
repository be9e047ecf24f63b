/** One session whose peer is the test itself: frames in, frames out, events kept. For what an honest peer never does. */
import { Session, type SessionEvent, type SessionOptions } from '../../protocol/index.js';
import type { Frame } from '../../protocol/wire/frame.js';
import { bytesOf } from './transmit.js';
import { decodeFrames, encodeFrames, splitFrames } from './wire-frames.js';

const LIMITS = { windowBytes: 65_536, maxStreams: 100, maxPayload: 65_536 };

export class LoneSession {
  readonly session: Session;
  now = 0;
  readonly events: SessionEvent[] = [];

  constructor(role: 'hub' | 'agent', override: Partial<SessionOptions> = {}) {
    const options: SessionOptions = {
      role,
      local: LIMITS,
      peer: LIMITS,
      windowBytes: 65_536,
      maxWindowBytes: 65_536,
      bufferBytes: 64 * 1024 * 1024,
      processBudget: { heldBytes: 0, limitBytes: 256 * 1024 * 1024 },
      liveness: { pingIntervalMs: 10_000, pingTimeoutMs: 25_000 },
      acceptsOpens: role === 'agent',
      paced: false,
      resumeGraceMs: 0,
      ...override,
    };
    this.session = new Session(options, this.now);
  }

  /** The frames arrive in one message. */
  receive(...frames: readonly Frame[]): void {
    this.receiveBytes(encodeFrames(...frames));
  }
  receiveBytes(message: Uint8Array): void {
    this.session.receive(message, this.now);
    this.session.receiveMessageEnd();
    this.#takeEvents();
  }

  /** What is due to be sent now, frame by frame. */
  sent(): Frame[] {
    const frames: Frame[] = [];
    for (const message of this.messages()) {
      for (const bytes of splitFrames(message)) frames.push(...decodeFrames([bytes]));
    }
    return frames;
  }
  /** The same, as messages. */
  messages(): Uint8Array[] {
    const messages: Uint8Array[] = [];
    for (let next = this.session.pollTransmit(this.now); next; next = this.session.pollTransmit(this.now)) {
      messages.push(bytesOf(next));
    }
    this.#takeEvents();
    return messages;
  }

  /** Lets time pass to each timer that is due on the way. */
  advance(ms: number): void {
    const end = this.now + ms;
    while (this.session.nextDeadline() <= end) {
      this.now = Math.max(this.now, this.session.nextDeadline());
      this.session.handleTimeout(this.now);
      this.#takeEvents();
    }
    this.now = end;
  }

  ofType<T extends SessionEvent['type']>(type: T): Extract<SessionEvent, { type: T }>[] {
    this.#takeEvents();
    return this.events.filter((event): event is Extract<SessionEvent, { type: T }> => event.type === type);
  }
  /** The code with which the session ended; undefined while it goes on. */
  endCode(): number | undefined {
    return this.ofType('ended')[0]?.code;
  }

  #takeEvents(): void {
    for (let event = this.session.pollEvent(); event; event = this.session.pollEvent())
      this.events.push(event);
  }
}
