/** Bytes to frames for tests: the real decoder, with the pieces of each DATA payload joined again. */
import { FrameType, encodeFrame } from '../../protocol/index.js';
import { Decoder } from '../../protocol/wire/decoder.js';
import type { Frame } from '../../protocol/wire/frame.js';

/** Decodes whole frames, given in any pieces. Throws what the decoder throws, and when the last frame is incomplete. */
export function decodeFrames(pieces: readonly Uint8Array[], maxPayload?: number): Frame[] {
  const decoder = new Decoder(maxPayload);
  const frames: Frame[] = [];
  for (const piece of pieces) {
    decoder.push(piece, (frame) => {
      const last = frames.at(-1);
      const goesOn =
        frame.type === FrameType.Data &&
        last?.type === FrameType.Data &&
        last.cid === frame.cid &&
        last.seq + last.payload.length === frame.seq;
      if (goesOn) frames[frames.length - 1] = joined(last, frame);
      else frames.push(frame.type === FrameType.Data ? { ...frame, payload: frame.payload.slice() } : frame);
      return true;
    });
  }
  if (!decoder.atBoundary) throw new Error('the bytes end inside a frame');
  return frames;
}

type DataFrame = Extract<Frame, { type: typeof FrameType.Data }>;

function joined(first: DataFrame, second: DataFrame): DataFrame {
  return { ...first, payload: Buffer.concat([first.payload, second.payload]) };
}

/** Cuts bytes that hold whole frames into one array per frame, by the lengths in their headers. */
export function splitFrames(bytes: Uint8Array): Uint8Array[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 9 + view.readUIntBE(at, 3);
    frames.push(bytes.subarray(at, end));
    at = end;
  }
  return frames;
}

/** Encodes frames one behind the other, as one message may hold them. */
export function encodeFrames(...frames: readonly Frame[]): Uint8Array {
  return Buffer.concat(frames.map((frame) => encodeFrame(frame)));
}
