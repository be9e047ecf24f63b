import { expect } from 'chai';
import { readOurs, readWs, wsFrame, type WireFrame } from '../../support/frame-oracle.js';
import { isCloseCode } from '../../../transport/websocket/frame.js';

const KEY = Uint8Array.of(1, 2, 3, 4);
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const close = (code: number, reason: Uint8Array | string = ''): Buffer =>
  wsFrame({ opcode: 8, payload: Buffer.concat([Uint8Array.of(code >> 8, code), Buffer.from(reason)]) });

/** A frame of a server with a header of our making, and that many bytes behind it. */
function raw(header: string, payloadBytes = 0): Buffer {
  return Buffer.concat([hex(header), Buffer.alloc(payloadBytes)]);
}

/** What both read in frames of a server, or of a client. */
function read(bytes: Uint8Array, masked = false): { ours: string[]; ws: string[]; why: string | undefined } {
  const { lines, why } = readOurs([bytes], masked);
  return { ours: lines, ws: readWs(bytes, masked), why };
}

describe('FrameReader', () => {
  describe('refuses', () => {
    /** What is refused, with what code and words, and a neighbour that is not. */
    const RULES: readonly (readonly [string, Buffer, number, RegExp, Buffer])[] = [
      ['RSV1', raw('c2 01', 1), 1002, /reserved bit/, raw('82 01', 1)],
      ['RSV2', raw('a2 01', 1), 1002, /reserved bit/, raw('82 01', 1)],
      ['RSV3', raw('92 01', 1), 1002, /reserved bit/, raw('82 01', 1)],
      ['RSV1 of a control frame', raw('c9 00'), 1002, /reserved bit/, raw('89 00')],
      ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
        (opcode) =>
          [
            `opcode ${opcode}`,
            Buffer.of(0x80 | opcode, 0),
            1002,
            new RegExp(`opcode ${opcode} is unknown`),
            raw('82 00'),
          ] as const,
      ),
      ['a control frame in fragments', raw('09 00'), 1002, /fragmented/, raw('89 00')],
      ['a close frame in fragments', raw('08 00'), 1002, /fragmented/, raw('88 00')],
      ['a ping of 126 bytes', raw('89 7e 00 7e', 126), 1002, /too long/, raw('89 7d', 125)],
      ['a pong of 126 bytes', raw('8a 7e 00 7e', 126), 1002, /too long/, raw('8a 7d', 125)],
      ['a continuation of nothing', raw('80 01', 1), 1002, /continuation of nothing/, raw('02 00 80 01', 1)],
      ['a continuation behind a whole message', raw('82 00 80 00'), 1002, /nothing/, raw('02 00 80 00')],
      ['a message inside another', raw('02 00 82 00'), 1002, /inside another/, raw('02 00 80 00 82 00')],
      ['a text inside a message', raw('02 00 81 00'), 1002, /inside another/, raw('02 00 80 00')],
      [
        'a length above 2^53 - 1',
        raw('82 7f 00 20 00 00 00 00 00 00'),
        1009,
        /2\^53/,
        raw('82 7f 00 00 00 00 00 01 00 00', 65_536),
      ],
      [
        'a message over the cap in one frame',
        raw('82 7f 00 00 00 00 00 04 00 01'),
        1009,
        /longer than 262144 bytes/,
        raw('82 7f 00 00 00 00 00 04 00 00', 262_144),
      ],
      [
        'a message over the cap in several',
        Buffer.concat([raw('02 7f 00 00 00 00 00 04 00 00', 262_144), raw('80 01', 1)]),
        1009,
        /longer than 262144 bytes/,
        Buffer.concat([raw('02 7f 00 00 00 00 00 04 00 00', 262_144), raw('80 00')]),
      ],
      [
        'a message of more than 1024 fragments',
        Buffer.concat([raw('02 00'), ...Array.from({ length: 1024 }, () => raw('00 00'))]),
        1008,
        /more than 1024 fragments/,
        Buffer.concat([raw('02 00'), ...Array.from({ length: 1022 }, () => raw('00 00')), raw('80 00')]),
      ],
      ['a close frame of one byte', raw('88 01', 1), 1002, /no valid code/, raw('88 00')],
      ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map(
        (code) => [`close code ${code}`, close(code), 1002, /no valid code/, close(1000)] as const,
      ),
      ['a reason that is not UTF-8', close(1000, Uint8Array.of(0xff)), 1007, /not UTF-8/, close(1000, 'ü')],
      [
        'a reason cut inside a character',
        close(1000, Uint8Array.of(0xc3)),
        1007,
        /not UTF-8/,
        close(1000, Uint8Array.of(0xc3, 0xbc)),
      ],
    ];

    for (const [what, bad, code, words, good] of RULES) {
      it(`${what}, with ${code}, as ws does`, () => {
        const refused = read(bad);
        expect(refused.ours.at(-1)).to.equal(`fault ${code}`);
        expect(refused.why).to.match(words);
        expect(refused.ours).to.deep.equal(refused.ws);
        const control = read(good);
        expect(control.why, 'the neighbour').to.equal(undefined);
        expect(control.ours).to.deep.equal(control.ws);
      });
    }

    it('a frame of a client that is not masked, and one of a server that is', () => {
      const [plain, masked] = [wsFrame({ opcode: 2 }), wsFrame({ opcode: 2 }, KEY)];
      for (const [bytes, asServer, words] of [
        [plain, true, /of a client is not masked/],
        [masked, false, /of a server is masked/],
      ] as const) {
        const refused = read(bytes, asServer);
        expect(refused.ours).to.deep.equal(['fault 1002']).and.deep.equal(refused.ws);
        expect(refused.why).to.match(words);
        expect(read(bytes, !asServer).ours).to.deep.equal(['message ']);
      }
    });

    it('a length that is not in its shortest form, which ws lets pass', () => {
      for (const [bad, good] of [
        [raw('82 7e 00 7d', 125), raw('82 7d', 125)],
        [raw('82 7e 00 00'), raw('82 00')],
        [raw('82 7f 00 00 00 00 00 00 ff ff', 65_535), raw('82 7e ff ff', 65_535)],
        [raw('82 7f 00 00 00 00 00 00 00 00'), raw('82 00')],
      ] as const) {
        const refused = read(bad);
        expect(refused.ours).to.deep.equal(['fault 1002']);
        expect(refused.why).to.match(/shortest/);
        expect(refused.ws).to.deep.equal(read(good).ws);
        expect(read(good).ours).to.deep.equal(refused.ws);
      }
    });
  });

  it('knows the same close codes as ws', () => {
    for (let code = 0; code <= 0xffff; code += code < 5100 ? 1 : 997) {
      expect(isCloseCode(code), String(code)).to.equal(!readWs(close(code), false)[0]?.startsWith('fault'));
    }
  });

  it('tells of a text message at its first byte, and hands none of it on', () => {
    const frames: WireFrame[] = [
      { opcode: 1, fin: false, payload: Buffer.from('te') },
      { opcode: 9, payload: Buffer.from('p') },
      { opcode: 0, payload: Buffer.from('xt') },
      { opcode: 2, payload: Buffer.from('bytes') },
    ];
    const bytes = Buffer.concat(frames.map((frame) => wsFrame(frame)));
    expect(read(bytes).ours).to.deep.equal(['text', 'ping p', 'message bytes']);
    expect(read(bytes.subarray(0, 2)).ours).to.deep.equal(['text']);
  });

  it('reads nothing behind a close frame', () => {
    const bytes = Buffer.concat([close(4503, 'going down'), raw('c2 00')]);
    expect(read(bytes).ours).to.deep.equal(['close 4503 going down']);
  });

  it('takes a pong that nobody asked for, and forgets it', () => {
    expect(read(raw('8a 03 01 02 03 82 00')).ours).to.deep.equal(['message ']);
  });

  it('allocates nothing for a length that is only claimed', () => {
    const header = hex('82 7f 00 1f ff ff ff ff ff ff');
    // 2^53 - 1 bytes: an array of that length cannot be made.
    expect(readOurs([header, Buffer.from('abc')], false, Number.MAX_SAFE_INTEGER).lines).to.deep.equal([]);
    expect(() => new Uint8Array(Number.MAX_SAFE_INTEGER)).to.throw(RangeError);
  });
});
