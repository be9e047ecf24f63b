import { expect } from 'chai';
import { AgentHandshake, CloseCode, encodeFrame, FrameType, HubHandshake } from '../../../protocol/index.js';
import type { Hello, HelloAck } from '../../../protocol/index.js';
import { isProtocolCode, runHandshake } from '../../../transport/handshake-link.js';
import type { LinkHandlers } from '../../../transport/link.js';
import { FakeClock } from '../agent/fake-clock.js';
import { FakeLink } from './fake-link.js';

const LIMITS = { windowBytes: 65_536, maxStreams: 10, maxPayload: 65_536 };
const HELLO: Hello = {
  agentId: 'site-a',
  bootId: '0123456789abcdef0123456789abcdef',
  version: '1.0.0',
  features: [],
  connectors: ['web'],
  limits: LIMITS,
  resume: undefined,
  overlaps: undefined,
};
const HELLO_FRAME = { type: FrameType.Hello, hello: HELLO } as const;
const PING = { type: FrameType.Ping, nonce: new Uint8Array(8) } as const;

/** A hub's handshake with a deadline in 5 s; what came of it is written down. */
class Shaking {
  readonly link = new FakeLink();
  readonly clock = new FakeClock();
  /** What the handlers and the link's next owner were told, in order. */
  readonly told: string[] = [];
  #stay = true;

  constructor({ takesOver = true } = {}) {
    this.#stay = takesOver;
    runHandshake(this.link, new HubHandshake(5000), this.clock, {
      onDocument: (hello) => {
        this.told.push(`hello ${hello.agentId}`);
        return this.#stay ? this.#next() : undefined;
      },
      onFailed: (code, message, by) => void this.told.push(`failed ${code} by ${by}: ${message}`),
    });
  }

  #next(): LinkHandlers {
    return {
      onBytes: (bytes) => void this.told.push(`bytes ${Buffer.from(bytes).toString('hex')}`),
      onMessageEnd: () => void this.told.push('message end'),
      onWritable: () => void this.told.push('writable'),
      onEnd: ({ code, reason }) => void this.told.push(`end ${code} ${reason}`),
    };
  }
}

const pingHex = Buffer.from(encodeFrame(PING)).toString('hex');

describe('runHandshake', () => {
  it('hands the document on, then everything that the link says', () => {
    const { link, clock, told } = new Shaking();
    link.arrive(HELLO_FRAME);
    link.arrive(PING);
    link.giveRoom();
    link.end(4503, 'draining');
    expect(told).to.deep.equal([
      'hello site-a',
      'message end',
      `bytes ${pingHex}`,
      'message end',
      'writable',
      'end 4503 draining',
    ]);
    expect(clock.pending).to.equal(0);
    expect(link.closed).to.equal(undefined);
  });

  it('gives the bytes behind the document to the next owner, before all others', () => {
    const { link, told } = new Shaking();
    link.arrive(HELLO_FRAME, PING);
    expect(told).to.deep.equal(['hello site-a', `bytes ${pingHex}`, 'message end']);
  });

  it('takes a document that comes byte by byte', () => {
    const { link, told } = new Shaking();
    const bytes = encodeFrame(HELLO_FRAME);
    link.arriveBytes(...[...bytes].map((byte) => Uint8Array.of(byte)));
    expect(told).to.deep.equal(['hello site-a', 'message end']);
  });

  it('closes with 4408 at the deadline, not before', () => {
    const { link, clock, told } = new Shaking();
    clock.advance(4999);
    expect(told).to.deep.equal([]);
    clock.advance(1);
    expect(told).to.deep.equal(['failed 4408 by us: no HELLO in time']);
    expect(link.closed?.code).to.equal(CloseCode.HandshakeTimeout);
  });

  it('is late also when half of the document is there', () => {
    const { link, clock, told } = new Shaking();
    link.arrivePart(encodeFrame(HELLO_FRAME).subarray(0, 20));
    clock.advance(5000);
    expect(told).to.deep.equal(['failed 4408 by us: no HELLO in time']);
  });

  it('fails at the deadline even when the timer fires a little early', () => {
    const told: string[] = [];
    const timers: (() => void)[] = [];
    const link = new FakeLink();
    const early = {
      now: () => 4999.5,
      after: (_ms: number, work: () => void) => (timers.push(work), () => undefined),
    };
    runHandshake(link, new HubHandshake(5000), early, {
      onDocument: () => undefined,
      onFailed: (code) => void told.push(`failed ${code}`),
    });
    timers[0]?.();
    expect(told).to.deep.equal(['failed 4408']);
  });

  it('has no deadline any more once the document is there', () => {
    const { link, clock, told } = new Shaking();
    link.arrive(HELLO_FRAME);
    clock.advance(60_000);
    expect(told).to.deep.equal(['hello site-a', 'message end']);
    expect(link.closed).to.equal(undefined);
  });

  it('closes with 4400 on any other frame, once', () => {
    const { link, clock, told } = new Shaking();
    link.arrive(PING);
    link.arrive(HELLO_FRAME);
    link.end(1006);
    clock.advance(60_000);
    expect(told).to.deep.equal(['failed 4400 by us: frame type 9 where HELLO was expected']);
    expect(link.closed?.code).to.equal(CloseCode.Protocol);
  });

  it('closes with 4400 when the message ends inside the document', () => {
    const { link, told } = new Shaking();
    link.arriveBytes(encodeFrame(HELLO_FRAME).subarray(0, 20));
    expect(told).to.deep.equal(['failed 4400 by us: a message ended inside HELLO']);
    expect(link.closed?.code).to.equal(CloseCode.Protocol);
  });

  it('takes an empty message for nothing', () => {
    const { link, told } = new Shaking();
    link.arriveBytes();
    link.arrive(HELLO_FRAME);
    expect(told).to.deep.equal(['hello site-a', 'message end']);
  });

  it('tells when the link ends first, and does not close it again', () => {
    const { link, clock, told } = new Shaking();
    link.giveRoom();
    link.end(1001, 'going away');
    link.arrive(HELLO_FRAME);
    clock.advance(60_000);
    expect(told).to.deep.equal(['failed 1001 by peer: going away']);
    expect(link.closed).to.equal(undefined);
    expect(clock.pending).to.equal(0);
  });

  it('gives nothing on when the document was refused', () => {
    const { link, told } = new Shaking({ takesOver: false });
    link.arrive(HELLO_FRAME, PING);
    link.arrive(PING);
    link.giveRoom();
    link.end(1006);
    expect(told).to.deep.equal(['hello site-a']);
  });

  it("waits for HELLO_ACK on the agent's side", () => {
    const link = new FakeLink();
    const acks: string[] = [];
    const ack: HelloAck = {
      sessionId: 's1',
      hubId: 'h1',
      version: '1.0.0',
      features: [],
      connectors: ['web'],
      limits: LIMITS,
      resumed: false,
      resume: undefined,
    };
    runHandshake(link, new AgentHandshake(5000), new FakeClock(), {
      onDocument: ({ sessionId }) => void acks.push(sessionId),
      onFailed: () => undefined,
    });
    link.arrive({ type: FrameType.HelloAck, ack });
    expect(acks).to.deep.equal(['s1']);
  });
});

describe('isProtocolCode', () => {
  it('knows the close codes of the protocol and no others', () => {
    for (const code of Object.values(CloseCode)) expect(isProtocolCode(code), `${code}`).to.equal(true);
    for (const code of [1001, 1005, 1006, 1009, 4000, 4499])
      expect(isProtocolCode(code), `${code}`).to.equal(false);
  });
});
