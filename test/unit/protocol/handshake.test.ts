import { expect } from 'chai';
import {
  AgentHandshake,
  FrameType,
  HubHandshake,
  encodeFrame,
  type Hello,
  type HelloAck,
} from '../../../protocol/index.js';
import { readFrameVectors } from '../../support/wire-vectors.js';

const LIMITS = { windowBytes: 65_536, maxStreams: 10, maxPayload: 65_536 };
const HELLO_DOCUMENT: Hello = {
  agentId: 'site-a',
  bootId: 'b',
  version: '1',
  features: ['resume'],
  connectors: ['db', 'ldap'],
  limits: LIMITS,
  resume: { sessionId: 's', token: 't', only: false },
  overlaps: undefined,
};
const ACK_DOCUMENT: HelloAck = {
  sessionId: 's',
  hubId: 'h',
  version: '1',
  features: [],
  connectors: ['db'],
  limits: LIMITS,
  resumed: false,
  resume: { token: 't', graceMs: 5 },
};
const HELLO = encodeFrame({ type: FrameType.Hello, hello: HELLO_DOCUMENT });
const ACK = encodeFrame({ type: FrameType.HelloAck, ack: ACK_DOCUMENT });
const PING = encodeFrame({ type: FrameType.Ping, nonce: new Uint8Array(8) });

const SIDES = [
  {
    name: 'a hub',
    start: () => new HubHandshake(5000),
    frame: HELLO,
    document: HELLO_DOCUMENT,
    word: 'HELLO',
  },
  {
    name: 'an agent',
    start: () => new AgentHandshake(5000),
    frame: ACK,
    document: ACK_DOCUMENT,
    word: 'HELLO_ACK',
  },
];

for (const { name, start, frame, document, word } of SIDES) {
  describe(`the handshake of ${name}`, () => {
    it(`takes ${word}, cut anywhere, and hands on the bytes behind it`, () => {
      for (let cut = 1; cut < frame.length; cut++) {
        const handshake = start();
        expect(handshake.receive(frame.subarray(0, cut))).to.deep.equal({ type: 'more' });
        const rest = Buffer.concat([frame.subarray(cut), PING]);
        expect(handshake.receive(rest)).to.deep.equal({ type: 'done', document, rest: Buffer.from(PING) });
      }
    });

    it('hands on nothing when nothing came behind it', () => {
      const result = start().receive(frame);
      expect(result).to.deep.equal({ type: 'done', document, rest: new Uint8Array(0) });
    });

    for (const vector of readFrameVectors().filter(
      ({ frame: { type } }) => encodeFrameType(frame) !== type,
    )) {
      it(`refuses ${vector.name} first`, () => {
        const result = start().receive(vector.bytes);
        expect(result).to.include({ type: 'failed', code: 4400 });
        expect(result).to.have.property('message').that.contains(word);
      });
    }

    it('refuses what the decoder refuses', () => {
      expect(start().receive(Uint8Array.of(0, 0, 0, 99, 0, 0, 0, 0, 0))).to.include({
        type: 'failed',
        code: 4400,
      });
    });

    it('refuses a message that ends inside it, and bears an empty one', () => {
      const handshake = start();
      expect(handshake.receiveMessageEnd()).to.deep.equal({ type: 'more' });
      handshake.receive(frame.subarray(0, 20));
      expect(handshake.receiveMessageEnd()).to.include({ type: 'failed', code: 4400 });
    });

    it('waits until its deadline and then fails with 4408', () => {
      const handshake = start();
      expect(handshake.deadline).to.equal(5000);
      expect(handshake.handleTimeout(4999)).to.deep.equal({ type: 'more' });
      expect(handshake.handleTimeout(5000)).to.include({ type: 'failed', code: 4408 });
    });
  });
}

function encodeFrameType(frame: Uint8Array): number | undefined {
  return frame[3];
}

describe('a handshake', () => {
  it("lets an error that is not the peer's through", () => {
    const handshake = new HubHandshake(5000);
    expect(() => handshake.receive(undefined as unknown as Uint8Array)).to.throw(TypeError);
  });
});
