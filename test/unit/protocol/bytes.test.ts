import { expect } from 'chai';
import fc from 'fast-check';
import {
  decodeUtf8,
  encodeUtf8,
  readU16,
  readU24,
  readU32,
  readU64,
  readU8,
  writeU16,
  writeU24,
  writeU32,
  writeU64,
} from '../../../protocol/wire/bytes.js';

describe('integers on the wire', () => {
  const cases = [
    { name: 'u16', size: 2, max: 0xffff, read: readU16, write: writeU16 },
    { name: 'u24', size: 3, max: 0xff_ffff, read: readU24, write: writeU24 },
    { name: 'u32', size: 4, max: 0xffff_ffff, read: readU32, write: writeU32 },
    { name: 'u64', size: 8, max: Number.MAX_SAFE_INTEGER, read: readU64, write: writeU64 },
  ];

  for (const { name, size, max, read, write } of cases) {
    it(`writes and reads every ${name}, big-endian, and touches nothing beside it`, () => {
      fc.assert(
        fc.property(
          fc.oneof(fc.integer({ min: 0, max }), fc.constantFrom(0, 1, max - 1, max)),
          fc.nat(5),
          (value, at) => {
            const bytes = new Uint8Array(at + size + 3).fill(0xaa);
            write(bytes, at, value);
            expect(read(bytes, at)).to.equal(value);
            const hex = Buffer.from(bytes).toString('hex');
            expect(hex).to.equal('aa'.repeat(at) + value.toString(16).padStart(size * 2, '0') + 'aaaaaa');
          },
        ),
      );
    });
  }

  it('reads a u64 that does not fit as one above the largest safe integer', () => {
    for (const hex of ['0020000000000000', '0020000000000001', 'ffffffffffffffff']) {
      expect(readU64(Buffer.from(hex, 'hex'), 0)).to.be.above(Number.MAX_SAFE_INTEGER);
    }
  });

  it('reads a missing byte as 0', () => {
    expect(readU8(Uint8Array.of(7), 1)).to.equal(0);
    expect(readU16(Uint8Array.of(7), 0)).to.equal(0x700);
  });
});

describe('UTF-8', () => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  it('encodes every text as TextEncoder does, lone surrogates included', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.constantFrom('', '\ud800', '\udfff', 'é€😀'),
        (text, extra) => {
          const all = text + extra + text;
          expect(encodeUtf8(all)).to.deep.equal(new TextEncoder().encode(all));
        },
      ),
    );
  });

  it('decodes what it encoded', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(decodeUtf8(encodeUtf8(text))).to.equal(text);
      }),
    );
  });

  it('takes and refuses exactly the bytes that the strict TextDecoder takes and refuses', () => {
    const lead = fc.constantFrom(
      0x00,
      0x7f,
      0x80,
      0xbf,
      0xc0,
      0xc1,
      0xc2,
      0xdf,
      0xe0,
      0xed,
      0xef,
      0xf0,
      0xf4,
      0xf5,
      0xf8,
      0xff,
    );
    const byte = fc.oneof(
      fc.integer({ min: 0, max: 255 }),
      lead,
      fc.constantFrom(0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf),
    );
    let taken = 0;
    let refused = 0;
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 6 }), (bytes) => {
        const input = Uint8Array.from(bytes);
        let expected: string | undefined;
        try {
          expected = strict.decode(input);
          taken++;
        } catch {
          refused++;
        }
        expect(decodeUtf8(input)).to.equal(expected);
      }),
      { numRuns: 5000 },
    );
    expect(taken).to.be.above(100);
    expect(refused).to.be.above(100);
  });
});
