/** Small faults in a legal message, made where they hurt: frames are dropped, doubled and swapped, fields are bent. */
import { splitFrames } from '../support/wire-frames.js';
import type { Prng } from './prng.js';

const HEADER_BYTES = 9;

type Mutation = (frames: Uint8Array[], random: Prng) => void;

/** A copy of one of the frames, put in its place, to be changed. */
function changed(frames: Uint8Array[], random: Prng): Uint8Array {
  const at = random.below(frames.length);
  const copy = (frames[at] ?? new Uint8Array(0)).slice();
  frames[at] = copy;
  return copy;
}

const MUTATIONS: readonly Mutation[] = [
  function flipBit(frames, random) {
    const frame = changed(frames, random);
    const at = random.below(Math.min(frame.length, random.once(2) ? 26 : Infinity));
    frame[at] = (frame[at] ?? 0) ^ (1 << random.below(8));
  },
  function bendHeader(frames, random) {
    changed(frames, random)[random.below(HEADER_BYTES)] = random.next();
  },
  function bendOffset(frames, random) {
    const frame = changed(frames, random);
    const at = HEADER_BYTES + 7 + 8 * random.below(2);
    if (at < frame.length) frame[at] = (frame[at] ?? 0) + random.pick([-1, 1]);
  },
  function dropFrame(frames, random) {
    frames.splice(random.below(frames.length), 1);
  },
  function doubleFrame(frames, random) {
    const at = random.below(frames.length);
    frames.splice(at, 0, ...frames.slice(at, at + 1));
  },
  function swapFrames(frames, random) {
    const at = random.below(frames.length);
    frames.push(...frames.splice(at, 1));
  },
  function cutShort(frames, random) {
    const last = frames.pop();
    if (last !== undefined) frames.push(last.subarray(0, random.below(last.length)));
  },
  function addGarbage(frames, random) {
    frames.splice(random.below(frames.length + 1), 0, random.bytes(1 + random.below(30)));
  },
  function forgetMessage(frames) {
    frames.length = 0;
  },
  function doubleMessage(frames) {
    frames.push(...frames);
  },
];

/** One fault in a message of whole frames. */
export function mutate(message: Uint8Array, random: Prng): Uint8Array {
  const frames = splitFrames(message);
  random.pick(MUTATIONS)(frames, random);
  return Buffer.concat(frames);
}
