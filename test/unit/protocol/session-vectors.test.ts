import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import {
  FrameType,
  Session,
  encodeFrame,
  type PeerLimits,
  type RstReason,
  type SessionEvent,
} from '../../../protocol/index.js';
import type { CreditFrame, Frame } from '../../../protocol/wire/frame.js';
import { decodeFrames, splitFrames } from '../../support/wire-frames.js';
import { frameFrom, long, unhex, type Long, type RawFrame } from '../../support/wire-vectors.js';
import { bytesOf } from '../../support/transmit.js';

interface RawLimits {
  readonly window_bytes: number;
  readonly max_streams: number;
  readonly max_payload: number;
}

type Step = Readonly<Record<string, unknown>>;

interface Conversation {
  readonly name: string;
  readonly role: 'hub' | 'agent';
  readonly limits: RawLimits;
  readonly peer_limits: RawLimits;
  readonly steps: readonly Step[];
}

function limitsFrom(raw: RawLimits): PeerLimits {
  return { windowBytes: raw.window_bytes, maxStreams: raw.max_streams, maxPayload: raw.max_payload };
}

/** One side under test, and what it has said and delivered so far. */
class Side {
  readonly #session: Session;
  #now = 0;
  #sent: Frame[] = [];
  readonly #credits = new Map<number, CreditFrame>();
  readonly #delivered = new Map<number, string>();
  readonly #events: SessionEvent[] = [];

  constructor({ role, limits, peer_limits }: Conversation) {
    const local = limitsFrom(limits);
    this.#session = new Session(
      {
        role,
        local,
        peer: limitsFrom(peer_limits),
        windowBytes: local.windowBytes,
        maxWindowBytes: local.windowBytes,
        bufferBytes: 1e9,
        processBudget: { heldBytes: 0, limitBytes: 1e9 },
        liveness: { pingIntervalMs: 10_000, pingTimeoutMs: 25_000 },
        acceptsOpens: role === 'agent',
        paced: false,
        resumeGraceMs: 0,
      },
      0,
    );
  }

  run(step: Step): void {
    const [[verb, value] = ['', undefined]] = Object.entries(step);
    const does = (this.#commands as Record<string, ((value: never) => void) | undefined>)[verb];
    const expects = (this.#expectations as Record<string, ((value: never) => void) | undefined>)[verb];
    if (does === undefined && expects === undefined) throw new Error(`unknown step ${verb}`);
    does?.(value as never);
    this.#settle();
    expects?.(value as never);
  }

  readonly #commands = {
    receive: (message: Long | readonly RawFrame[]) => {
      const bytes = isFrames(message)
        ? Buffer.concat(message.map((raw) => encodeFrame(frameFrom(raw))))
        : unhex(message);
      this.#session.receive(bytes, this.#now);
      this.#session.receiveMessageEnd();
    },
    open: (connector: string) => expect(this.#session.open(connector, '', this.#now)).to.be.a('number'),
    accept: (cid: number) => this.#session.accept(cid, this.#now),
    write: ([cid, hex]: [number, Long]) => this.#session.write(cid, unhex(hex)),
    finish: (cid: number) => this.#session.finish(cid),
    consume: ([cid, count]: [number, number]) => this.#session.consumed(cid, count, this.#now),
    reset: ([cid, reason]: [number, RstReason]) => this.#session.reset(cid, reason),
  };

  readonly #expectations = {
    sent: (raw: readonly RawFrame[]) => {
      const frames = this.#sent;
      this.#sent = [];
      expect(frames).to.deep.equal(raw.map(frameFrom));
    },
    credited: ([cid, consumed, limit]: [number, number, number]) =>
      expect(this.#credits.get(cid)).to.deep.equal({ type: FrameType.Credit, cid, consumed, limit }),
    delivered: ([cid, hex]: [number, Long]) => expect(this.#delivered.get(cid)).to.equal(long(hex)),
    finished: (cid: number) => this.#expectEvent({ type: 'finished', cid }),
    over: (cid: number) => this.#expectEvent({ type: 'closed', cid }),
    reset_by_peer: ([cid, reason]: [number, RstReason]) => this.#expectEvent({ type: 'reset', cid, reason }),
    alive: () => expect(this.#session.ended).to.equal(false),
    close: (code: number) => this.#expectEvent({ type: 'ended', code }),
  };

  #expectEvent(expected: object): void {
    const found = this.#events.filter((event) =>
      Object.entries(expected).every(
        ([key, value]) => (event as unknown as Record<string, unknown>)[key] === value,
      ),
    );
    expect(found, JSON.stringify(expected)).to.have.length(1);
  }

  /** Lets what is due happen, also what is due a little later. */
  #settle(): void {
    this.#now += 100;
    if (this.#session.nextDeadline() <= this.#now) this.#session.handleTimeout(this.#now);
    for (
      let message = this.#session.pollTransmit(this.#now);
      message;
      message = this.#session.pollTransmit(this.#now)
    ) {
      const bytes = bytesOf(message);
      for (const frame of splitFrames(bytes).flatMap((one) => decodeFrames([one]))) {
        if (frame.type === FrameType.Credit) this.#credits.set(frame.cid, frame);
        else if (frame.type !== FrameType.Ping) this.#sent.push(frame);
      }
    }
    for (let event = this.#session.pollEvent(); event; event = this.#session.pollEvent()) {
      this.#events.push(event);
      if (event.type !== 'data') continue;
      const before = this.#delivered.get(event.cid) ?? '';
      this.#delivered.set(event.cid, before + Buffer.from(event.bytes).toString('hex'));
    }
  }
}

function isFrames(message: Long | readonly RawFrame[]): message is readonly RawFrame[] {
  return Array.isArray(message) && message.every((item) => typeof item === 'object' && 'type' in item);
}

describe('a session, in the conversations of the vectors', () => {
  const { vectors } = JSON.parse(readFileSync('test/vectors/sessions.json', 'utf8')) as {
    vectors: Conversation[];
  };

  for (const conversation of vectors) {
    it(conversation.name, () => {
      const side = new Side(conversation);
      for (const step of conversation.steps) side.run(step);
    });
  }
});
