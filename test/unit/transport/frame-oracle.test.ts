import { expect } from 'chai';
import fc from 'fast-check';
import { applyMask, headerBytes, writeHeader } from '../../../transport/websocket/frame.js';
import { readOurs, readWs, wsFrame, type WireFrame } from '../../support/frame-oracle.js';

const size = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 2, arbitrary: fc.constantFrom(124, 125, 126, 127, 128, 300) },
  { weight: 1, arbitrary: fc.constantFrom(65_535, 65_536, 65_537) },
);
let counter = 0;
/** Bytes that differ from their neighbours. */
const bytesOfSize = (length: number): Uint8Array =>
  Uint8Array.from({ length }, () => (counter = (counter * 31 + 7) & 0xffff) >> 8);
const payload = size.map(bytesOfSize);
const key = fc.uint8Array({ minLength: 4, maxLength: 4 });

const control = fc.record({
  opcode: fc.constantFrom(9, 10),
  payload: fc.integer({ min: 0, max: 125 }).map(bytesOfSize),
});
/** A message in fragments, with control frames between them. */
const message: fc.Arbitrary<WireFrame[]> = fc
  .tuple(fc.array(payload, { minLength: 1, maxLength: 4 }), fc.array(fc.option(control), { maxLength: 4 }))
  .map(([parts, controls]) =>
    parts.flatMap((part, index) => {
      const between = controls[index] ?? undefined;
      const frame = { opcode: index === 0 ? 2 : 0, fin: index === parts.length - 1, payload: part };
      return between === undefined ? [frame] : [frame, between];
    }),
  );
const sequence: fc.Arbitrary<WireFrame[]> = fc
  .tuple(fc.array(message, { maxLength: 4 }), fc.boolean())
  .map(([messages, closes]) => [
    ...messages.flat(),
    ...(closes ? [{ opcode: 8, payload: Buffer.from('\x03\xe8bye', 'latin1') }] : []),
  ]);

/** Cuts at such places (any numbers); one byte at a time when there are none. */
function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  if (cuts.length === 0 && bytes.length < 5000) return Array.from(bytes, (byte) => Uint8Array.of(byte));
  const places = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  let from = 0;
  return places.map((to) => {
    const piece = bytes.subarray(from, to);
    from = to;
    return piece;
  });
}

describe('frames, against ws', () => {
  for (const masked of [false, true]) {
    it(`of ${masked ? 'a client' : 'a server'} are read alike, in whatever pieces they come`, () => {
      const cuts = fc.array(fc.nat(), { maxLength: 20 });
      fc.assert(
        fc.property(sequence, fc.array(key, { minLength: 1, maxLength: 5 }), cuts, (frames, keys, places) => {
          const keyOf = (index: number): Uint8Array | undefined =>
            masked ? keys[index % keys.length] : undefined;
          const bytes = Buffer.concat(frames.map((frame, index) => wsFrame(frame, keyOf(index))));
          const whole = readWs(bytes, masked);
          expect(readOurs([bytes], masked).lines).to.deep.equal(whole);
          expect(readOurs(split(bytes, places), masked).lines).to.deep.equal(whole);
          expect(whole.some((line) => line.startsWith('fault'))).to.equal(false);
        }),
        { numRuns: 300 },
      );
    });
  }

  it('are written alike, byte for byte, with and without a key', () => {
    fc.assert(
      fc.property(payload, fc.option(key), fc.constantFrom(2, 8, 9, 10), (bytes, mask, opcode) => {
        const own = mask ?? undefined;
        const frame = new Uint8Array(headerBytes(bytes.length, own !== undefined) + bytes.length);
        const at = writeHeader(frame, 0, opcode, bytes.length, own);
        expect(at).to.equal(frame.length - bytes.length);
        frame.set(bytes, at);
        if (own !== undefined) applyMask(frame.subarray(at), own, 0);
        expect(Buffer.compare(frame, wsFrame({ opcode, payload: bytes }, own))).to.equal(0);
      }),
      { numRuns: 500 },
    );
  });

  it('are masked in pieces as in one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), key, fc.nat(60), (bytes, mask, cut) => {
        const whole = Uint8Array.from(bytes);
        applyMask(whole, mask, 0);
        const pieces = Uint8Array.from(bytes);
        applyMask(pieces.subarray(0, cut), mask, 0);
        applyMask(pieces.subarray(cut), mask, Math.min(cut, bytes.length));
        expect(pieces).to.deep.equal(whole);
      }),
    );
  });
});
