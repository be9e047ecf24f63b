/** Legal sequences of RFC 6455 frames with faults in them, read by our reader and by that of ws. */
import { expect } from 'chai';
import {
  COMPLETION,
  isStricter,
  readOurs,
  readWs,
  wsFrame,
  type WireFrame,
} from '../support/frame-oracle.js';
import { FACTOR, Prng, SEED } from './prng.js';

const INPUTS = 200_000 * FACTOR;
const SIZES = [0, 0, 1, 2, 5, 20, 124, 125, 126, 127, 300];

/** A few messages, in fragments and with control frames between them. */
function legalFrames(random: Prng, masked: boolean): Uint8Array[] {
  const frames: WireFrame[] = [];
  for (let left = 1 + random.below(3); left > 0; left--) {
    const fragments = 1 + random.below(random.once(3) ? 3 : 1);
    for (let index = 0; index < fragments; index++) {
      const opcode = index > 0 ? 0 : random.once(12) ? 1 : 2;
      // ASCII: ws looks into text, ours does not.
      const payload = Buffer.alloc(random.once(200) ? 65_536 : random.pick(SIZES), 'abc');
      frames.push({ opcode, fin: index === fragments - 1, payload });
      if (random.once(4))
        frames.push({ opcode: random.pick([9, 10]), payload: random.bytes(random.below(126)) });
    }
  }
  if (random.once(3)) {
    const code = random.once(4) ? random.below(0x1_0000) : random.pick([1000, 1001, 4503]);
    const payload = [Uint8Array.of(code >> 8, code), random.once(4) ? random.bytes(5) : Buffer.from('bye')];
    frames.push({
      opcode: 8,
      payload: random.once(8) ? random.bytes(random.below(2)) : Buffer.concat(payload),
    });
  }
  return frames.map((frame) => wsFrame(frame, masked ? random.bytes(4) : undefined));
}

type Fault = (frames: Uint8Array[], random: Prng) => void;

const FAULTS: readonly Fault[] = [
  function flipBitOfHeader(frames, random) {
    const frame = random.pick(frames);
    const at = random.below(Math.min(frame.length, 14));
    frame[at] = (frame[at] ?? 0) ^ (1 << random.below(8));
  },
  function bendFirstByte(frames, random) {
    random.pick(frames)[0] = random.next();
  },
  function bendLength(frames, random) {
    const frame = random.pick(frames);
    frame[1] = ((frame[1] ?? 0) & 0x80) | random.pick([0, 1, 125, 126, 127, random.below(128)]);
  },
  function bendLongLength(frames, random) {
    const frame = random.pick(frames);
    frame[1] = ((frame[1] ?? 0) & 0x80) | random.pick([126, 127]);
    for (let at = 2; at < Math.min(10, frame.length); at++) frame[at] = random.once(2) ? 0 : random.next();
  },
  function flipBit(frames, random) {
    const frame = random.pick(frames);
    const at = random.below(frame.length);
    frame[at] = (frame[at] ?? 0) ^ (1 << random.below(8));
  },
  function dropFrame(frames, random) {
    frames.splice(random.below(frames.length), 1);
  },
  function doubleFrame(frames, random) {
    const at = random.below(frames.length);
    frames.splice(at, 0, ...frames.slice(at, at + 1));
  },
  function swapFrames(frames, random) {
    frames.push(...frames.splice(random.below(frames.length), 1));
  },
  function dropByte(frames, random) {
    const at = random.below(frames.length);
    const frame = frames[at] ?? new Uint8Array(0);
    const cut = random.below(frame.length);
    frames[at] = Buffer.concat([frame.subarray(0, cut), frame.subarray(cut + 1)]);
  },
  function addGarbage(frames, random) {
    frames.splice(random.below(frames.length + 1), 0, random.bytes(1 + random.below(20)));
  },
  function cutShort(frames, random) {
    const last = frames.pop();
    if (last !== undefined) frames.push(last.subarray(0, random.below(last.length)));
  },
];

function cut(bytes: Uint8Array, random: Prng): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const piece = bytes.subarray(at, at + 1 + random.below(random.once(2) ? 10 : 2000));
    pieces.push(piece);
    at += piece.length;
  }
  return pieces;
}

describe(`frames with faults in them (seed ${SEED})`, function () {
  this.timeout(120_000 * FACTOR);

  it(`are judged as ws judges them, ${INPUTS.toLocaleString('en')} times, and nothing but WsError is thrown`, () => {
    const random = new Prng(SEED);
    const tally = { alike: 0, stricter: 0, refused: 0, accepted: 0 };
    for (let count = 0; count < INPUTS; count++) {
      const masked = random.once(2);
      const frames = legalFrames(random, masked);
      if (!random.once(10)) random.pick(FAULTS)(frames, random);
      const bytes = Buffer.concat([...frames, COMPLETION]);
      const ours = readOurs(cut(bytes, random), masked);
      const theirs = readWs(bytes, masked);
      const last = ours.lines.at(-1);
      if (last?.startsWith('fault') === true) tally.refused++;
      else tally.accepted++;
      const stricter = isStricter(ours);
      tally[stricter ? 'stricter' : 'alike']++;
      const text = ours.lines.indexOf('text');
      const before = stricter ? ours.lines.slice(0, text >= 0 ? text : -1) : ours.lines;
      const compared = stricter ? theirs.slice(0, before.length) : theirs;
      if (before.join('\n') !== compared.join('\n')) {
        expect(before, `NC_FUZZ_SEED=${SEED}, input ${count}: ${bytes.toString('hex')}`).to.deep.equal(
          compared,
        );
      }
    }
    expect(tally.alike, 'compared to the end').to.be.above(INPUTS * 0.6);
    expect(tally.refused).to.be.above(INPUTS / 10);
    expect(tally.accepted).to.be.above(INPUTS / 20);
  });
});
