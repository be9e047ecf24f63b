import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import fc from 'fast-check';
import { encodeFrame, type SessionOptions } from '../../../protocol/index.js';
import { SessionError } from '../../../protocol/errors.js';
import { Session } from '../../../protocol/session/session.js';
import { Decoder } from '../../../protocol/wire/decoder.js';
import type { Frame } from '../../../protocol/wire/frame.js';
import { decodeFrames } from '../../support/wire-frames.js';
import { readFrameVectors, readInvalidVectors, readMessageVectors } from '../../support/wire-vectors.js';

/** Every position at which a short text can be cut; for a long one the edges of its parts and some more. */
function cuts(length: number): number[] {
  if (length <= 1200) return Array.from({ length: length - 1 }, (_, index) => index + 1);
  const edges = [1, 3, 4, 8, 9, 10, 16, 17, 18, 25, 26, length >> 1, length - 2, length - 1];
  for (let at = 19; at < length; at += Math.ceil(length / 40)) edges.push(at);
  return edges;
}

function fault(work: () => unknown): SessionError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof SessionError) return error;
    throw error;
  }
}

const LIMITS = { windowBytes: 65_536, maxStreams: 10, maxPayload: 65_536 };

function freshSession(role: 'hub' | 'agent'): Session {
  const options: SessionOptions = {
    role,
    local: LIMITS,
    peer: LIMITS,
    windowBytes: 65_536,
    maxWindowBytes: 65_536,
    bufferBytes: 1e6,
    processBudget: { heldBytes: 0, limitBytes: 1e6 },
    liveness: { pingIntervalMs: 10_000, pingTimeoutMs: 25_000 },
    acceptsOpens: role === 'agent',
    paced: false,
    resumeGraceMs: 0,
  };
  return new Session(options, 0);
}

function endCode(session: Session): number | undefined {
  for (let event = session.pollEvent(); event; event = session.pollEvent()) {
    if (event.type === 'ended') return event.code;
  }
  return undefined;
}

describe('the codec, on the vectors', () => {
  for (const { name, bytes, frame, encodes } of readFrameVectors()) {
    it(`decodes ${name}`, () => {
      expect(decodeFrames([bytes])).to.deep.equal([frame]);
    });

    if (encodes) {
      it(`encodes ${name}`, () => {
        expect(Buffer.compare(encodeFrame(frame), bytes)).to.equal(0);
      });
    }

    it(`decodes ${name} alike in any two pieces, and byte by byte`, () => {
      for (const cut of cuts(bytes.length)) {
        expect(decodeFrames([bytes.subarray(0, cut), bytes.subarray(cut)]), `cut at ${cut}`).to.deep.equal([
          frame,
        ]);
      }
      const single =
        bytes.length <= 20_000 ? Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)) : [bytes];
      expect(decodeFrames(single)).to.deep.equal([frame]);
    });

    it(`waits at every truncation of ${name}, and closes with 4400 when the message ends there`, () => {
      for (const cut of cuts(bytes.length)) {
        const decoder = new Decoder();
        const frames: Frame[] = [];
        decoder.push(bytes.subarray(0, cut), (whole) => frames.push(whole) > 0);
        // Only DATA may be handed on before it is complete.
        for (const piece of frames) expect(piece.type, `cut at ${cut}`).to.equal(frame.type);
        expect('payload' in frame || frames.length === 0, `cut at ${cut}`).to.equal(true);
        expect(decoder.atBoundary, `cut at ${cut}`).to.equal(false);
      }
      for (const cut of cuts(bytes.length)) {
        const session = freshSession('agent');
        session.receive(bytes.subarray(0, cut), 0);
        session.receiveMessageEnd();
        expect(endCode(session), `cut at ${cut}`).to.equal(4400);
      }
    });
  }

  for (const { name, bytes, close, maxPayload } of readInvalidVectors()) {
    it(`refuses ${name}`, () => {
      const decode = (...pieces: Uint8Array[]) => {
        const decoder = new Decoder(maxPayload);
        const delivered: Frame[] = [];
        const error = fault(() => {
          for (const piece of pieces) decoder.push(piece, (frame) => delivered.push(frame) > 0);
        });
        expect(delivered).to.deep.equal([]);
        return error?.code;
      };
      expect(decode(bytes)).to.equal(close);
      for (const cut of cuts(bytes.length)) {
        expect(decode(bytes.subarray(0, cut), bytes.subarray(cut)), `cut at ${cut}`).to.equal(close);
      }
    });
  }

  for (const { name, bytes, types, close } of readMessageVectors()) {
    it(`reads ${name}`, () => {
      const decoder = new Decoder();
      const seen: number[] = [];
      const error = fault(() => decoder.push(bytes, (frame) => seen.push(frame.type) > 0));
      expect(seen).to.deep.equal(types);
      expect(error?.code ?? (decoder.atBoundary ? undefined : 4400)).to.equal(close);
    });
  }

  it('decodes all of them in one message, cut anywhere', () => {
    const vectors = readFrameVectors().filter(({ bytes }) => bytes.length < 1000);
    const all = Buffer.concat(vectors.map(({ bytes }) => bytes));
    const expected = vectors.map(({ frame }) => frame);
    expect(decodeFrames([all])).to.deep.equal(expected);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 10 }), (sizes) => {
        const pieces: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < all.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          pieces.push(all.subarray(at, at + size));
          at += size;
        }
        expect(decodeFrames(pieces)).to.deep.equal(expected);
      }),
      { numRuns: 50 },
    );
  });

  it('reads like a second decoder that was written from the page alone (needs python3)', function () {
    this.timeout(60_000);
    const run = spawnSync('python3', ['test/vectors/check.py'], { encoding: 'utf8', timeout: 50_000 });
    if (run.error)
      throw new Error(`python3 could not be run (Debian: apt-get install python3): ${run.error.message}`);
    expect(run.stderr).to.equal('');
    expect(run.stdout).to.match(/^\d{3,} checks, 0 failed\n$/);
    expect(run.status).to.equal(0);
  });
});
