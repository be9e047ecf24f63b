import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { FrameType } from '../../../protocol/index.js';
import type { Frame } from '../../../protocol/wire/frame.js';
import { LoneSession } from '../../support/lone-session.js';
import { decodeFrames, splitFrames } from '../../support/wire-frames.js';

/** An agent's session with `count` streams that it has accepted, and nothing waiting. */
function accepted(count: number, override: ConstructorParameters<typeof LoneSession>[1] = {}): LoneSession {
  const lone = new LoneSession('agent', override);
  for (let cid = 2; cid <= 2 * count; cid += 2) {
    lone.receive({ type: FrameType.Open, cid, connector: 'db', client: '', window: 1e9 });
    lone.session.accept(cid, 0);
  }
  lone.sent();
  return lone;
}

function types(message: Uint8Array): number[] {
  return splitFrames(message).map((frame) => frame[3] ?? 0);
}

describe('the packing of messages', () => {
  it('puts many small frames into one message, control first', () => {
    const lone = accepted(20);
    for (let cid = 2; cid <= 40; cid += 2) lone.session.write(cid, randomBytes(50));
    lone.session.finish(2);
    lone.receive({ type: FrameType.Ping, nonce: new Uint8Array(8) });
    const messages = lone.messages();
    expect(messages).to.have.length(1);
    const { Pong, Data, Fin } = FrameType;
    expect(types(messages[0]!)).to.deep.equal([Pong, Data, Fin, ...Array.from({ length: 19 }, () => Data)]);
  });

  it('ends a message with one large payload, and does not copy it', () => {
    const lone = accepted(1);
    const bytes = randomBytes(100_000);
    lone.session.write(2, bytes);
    const message = lone.session.pollTransmit(0);
    expect(message?.bytes).to.have.length(17);
    expect(message?.tail?.buffer).to.equal(bytes.buffer);
  });

  it('lays the header of a large payload into the room before it, and leaves the rest of the room to the link', () => {
    const lone = accepted(1);
    const memory = new Uint8Array(randomBytes(64 + 65_000));
    const payload = memory.slice(64);
    lone.session.write(2, memory.subarray(64), 64);
    const message = lone.session.pollTransmit(0);
    expect(message?.bytes.buffer).to.equal(memory.buffer);
    expect([message?.bytes.byteOffset, message?.room, message?.tail]).to.deep.equal([47, 47, undefined]);
    expect(decodeFrames([message!.bytes])).to.deep.equal([{ type: FrameType.Data, cid: 2, seq: 0, payload }]);
  });

  it('lays a PING into the room before a large payload too, when one is due', () => {
    const lone = accepted(1, { paced: true });
    for (let n = 0; n < 2; n++) lone.session.write(2, new Uint8Array(65_464), 0);
    const memory = new Uint8Array(64 + 65_000);
    lone.session.write(2, memory.subarray(64), 64);
    expect([1, 2].map(() => lone.session.pollTransmit(0)?.tail?.length)).to.deep.equal([65_464, 65_464]);
    const message = lone.session.pollTransmit(0);
    expect([message?.bytes.byteOffset, message?.room, message?.tail]).to.deep.equal([30, 30, undefined]);
    expect(types(message!.bytes)).to.deep.equal([FrameType.Ping, FrameType.Data]);
  });

  it('puts it before the header where there is no room, and before a small payload of a bulk stream', () => {
    const lone = accepted(2, {
      paced: true,
      peer: { windowBytes: 65_536, maxStreams: 100, maxPayload: 4000 },
    });
    for (let n = 0; n < 3; n++) lone.session.write(2, randomBytes(60_000));
    const frames = lone.messages().map((message) => types(message));
    const pings = frames.flat().filter((type) => type === FrameType.Ping).length;
    // One behind each 32 KiB, in the messages of the payloads.
    expect(pings).to.equal(3);
    expect(frames.every((message) => message.includes(FrameType.Data))).to.equal(true);
    const large = accepted(1, { paced: true });
    for (let n = 0; n < 3; n++) large.session.write(2, randomBytes(65_536));
    const messages = large.messages();
    // The third has to wait: 128 KiB are under way, and nothing is known of the path.
    expect(messages.map((message) => types(message))).to.deep.equal([
      [FrameType.Data],
      [FrameType.Ping, FrameType.Data],
      [FrameType.Ping],
    ]);
  });

  it('sends a PING without bulk when bulk has to wait and much of it has none behind it', () => {
    const lone = accepted(1, { paced: true, maxWindowBytes: 16_777_216 });
    for (let n = 0; n < 20; n++) lone.session.write(2, randomBytes(65_536));
    const { Data, Ping } = FrameType;
    // 128 KiB while nothing is known of the path: the second frame would have none behind it.
    expect(lone.sent().map(({ type }) => type)).to.deep.equal([Data, Ping, Data, Ping]);
    /** What goes out when the PONG of that number has come. */
    const after = (number: number): number[] => {
      lone.now = 100 + 5 * (number - 2);
      lone.receive({ type: FrameType.Pong, nonce: new Uint8Array([0, 0, 0, 0, 0, 0, 0, number]) });
      return lone.sent().map(({ type }) => type);
    };
    for (let number = 2; number <= 5; number++) expect(after(number)).to.deep.equal([Data, Ping]);
    // Now a rate is known, and what goes behind the last PING is less than a quarter of what may be under way.
    const more = after(6);
    expect(more).to.have.length.above(8);
    expect(more.at(-1)).to.equal(Data);
    expect(lone.sent()).to.deep.equal([]);
  });

  it('sends small frames where the path takes less than two full ones', () => {
    const lone = accepted(1, { paced: true, maxWindowBytes: 16_777_216 });
    for (let n = 0; n < 20; n++) lone.session.write(2, randomBytes(65_536));
    const payloads = (): number[] =>
      lone.sent().flatMap((frame) => (frame.type === FrameType.Data ? [frame.payload.length] : []));
    expect(Math.min(...payloads())).to.be.above(60_000);
    // A frame in 400 ms, told by one PONG after the other.
    let last: number[] = [];
    for (let number = 2; number < 30; number++) {
      lone.now = 100 + 400 * (number - 2);
      lone.receive({ type: FrameType.Pong, nonce: new Uint8Array([0, 0, 0, 0, 0, 0, 0, number]) });
      const sent = payloads();
      if (sent.length > 0) last = sent;
    }
    expect(last).to.have.length.above(0);
    expect(Math.max(...last)).to.equal(16_384);
  });

  it('has less under way where the peer sends bulk too, whose queue makes round trips longer', () => {
    /** Bytes that go while one PONG after the other comes, and as much of the peer each time. */
    const sent = (ofThePeer: number): number => {
      const lone = accepted(1, { paced: true, windowBytes: 16_777_216, maxWindowBytes: 16_777_216 });
      for (let n = 0; n < 100; n++) lone.session.write(2, randomBytes(65_536));
      let [bytes, seq] = [0, 0];
      for (let number = 2; number < 30; number++) {
        lone.sent();
        lone.now = 100 + 80 * number;
        if (ofThePeer > 0) {
          lone.receive({ type: FrameType.Data, cid: 2, seq, payload: randomBytes(ofThePeer) });
          seq += ofThePeer;
          lone.session.consumed(2, ofThePeer, lone.now);
        }
        lone.receive({ type: FrameType.Pong, nonce: new Uint8Array([0, 0, 0, 0, 0, 0, 0, number]) });
        for (const frame of lone.sent()) if (frame.type === FrameType.Data) bytes += frame.payload.length;
      }
      return bytes;
    };
    expect(sent(100), 'answers, not bulk').to.equal(sent(0));
    expect(sent(32_768) / sent(0)).to.be.below(0.6);
  });

  it('leaves room for the header of the link in whatever it makes itself', () => {
    const lone = accepted(1);
    lone.session.write(2, randomBytes(100_000));
    lone.receive({ type: FrameType.Ping, nonce: new Uint8Array(8) });
    for (const tail of [false, true, true]) {
      const message = lone.session.pollTransmit(0);
      expect(message?.room).to.be.at.least(14);
      expect(message?.bytes.byteOffset).to.be.at.least(message!.room);
      expect(message?.tail !== undefined).to.equal(tail);
    }
  });

  it('keeps every message below the largest size, whatever waits', () => {
    const lone = accepted(100);
    for (let round = 0; round < 5; round++) {
      for (let cid = 2; cid <= 200; cid += 2)
        lone.session.write(cid, randomBytes(round % 2 === 0 ? 700 : 65_536));
    }
    for (let n = 0; n < 150; n++) lone.receive({ type: FrameType.Ping, nonce: randomBytes(8) });
    const messages = lone.messages();
    let bytes = 0;
    for (const message of messages) {
      expect(message.length).to.be.at.most(16_384 + 65_536);
      for (const frame of decodeFrames([message]))
        if (frame.type === FrameType.Data) bytes += frame.payload.length;
    }
    expect(bytes).to.equal(100 * (3 * 700 + 2 * 65_536));
  });

  it('sends no DATA while control frames do not fit into the message', () => {
    const lone = accepted(100);
    lone.session.write(2, randomBytes(10));
    lone.session.finish(2);
    const opens: Frame[] = [];
    for (let n = 0; n < 2500; n++)
      opens.push({ type: FrameType.Open, cid: 202 + 2 * n, connector: 'x', client: '', window: 0 });
    for (let at = 0; at < opens.length; at += 100) lone.receive(...opens.slice(at, at + 100));
    const messages = lone.messages();
    expect(messages.length).to.be.above(1);
    expect(messages.slice(0, -1).flatMap((message) => types(message))).to.not.include(FrameType.Data);
    expect(types(messages.at(-1)!).slice(-2)).to.deep.equal([FrameType.Data, FrameType.Fin]);
  });

  it('gives a control frame that is larger than a head a message of its own', () => {
    const lone = new LoneSession('agent');
    lone.session.reauthenticate('x'.repeat(16_384));
    lone.session.reauthenticate('y');
    const sent = lone.messages().map((message) => types(message));
    expect(sent).to.deep.equal([[FrameType.Ping], [FrameType.Reauth], [FrameType.Reauth]]);
  });

  it('takes the numbers of a CREDIT when it is sent, once', () => {
    const lone = accepted(1);
    lone.receive({ type: FrameType.Data, cid: 2, seq: 0, payload: randomBytes(60_000) });
    lone.session.consumed(2, 30_000, 0);
    lone.session.consumed(2, 30_000, 0);
    expect(lone.sent()).to.deep.equal([
      { type: FrameType.Credit, cid: 2, consumed: 60_000, limit: 60_000 + 65_536 },
    ]);
  });

  it('leaves a CREDIT for the next message when the head is full', () => {
    const streams = 1000;
    const limits = { windowBytes: 65_536, maxStreams: 2000, maxPayload: 65_536 };
    const lone = accepted(streams, { local: limits });
    for (let cid = 2; cid <= 2 * streams; cid += 2) {
      lone.receive({ type: FrameType.Data, cid, seq: 0, payload: randomBytes(20_000) });
      lone.session.consumed(cid, 20_000, 0);
    }
    const messages = lone.messages();
    expect(messages.length).to.be.above(1);
    const credits = messages.flatMap((message) => decodeFrames([message]));
    expect(credits).to.have.length(streams);
    for (const credit of credits) expect(credit).to.include({ type: FrameType.Credit, consumed: 20_000 });
  });

  it("obeys the peer's largest payload", () => {
    const lone = accepted(1, { peer: { windowBytes: 1e6, maxStreams: 10, maxPayload: 2000 } });
    lone.session.write(2, randomBytes(11_000));
    const frames = lone.sent();
    expect(frames).to.have.length(6);
    for (const frame of frames)
      expect(frame.type === FrameType.Data && frame.payload.length).to.be.within(1, 2000);
  });

  it('has nothing to send when nothing is due', () => {
    const lone = accepted(1);
    expect(lone.session.pollTransmit(0)).to.equal(undefined);
  });
});
