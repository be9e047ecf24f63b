/** Random frames, mostly near the legal ones, against a session in both roles. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { FrameSource } from './frame-source.js';
import { FuzzedSession } from './fuzzed-session.js';
import { FACTOR, Prng, SEED } from './prng.js';

const FRAMES = 1_000_000 * FACTOR;
const MOST_PER_SESSION = 2000;
/** What the heap may grow over the whole run, in bytes: what V8 keeps, and no more with more frames. */
const HEAP_ROOM_BYTES = 32 * 1024 * 1024;

const EVENTS = [
  'open',
  'opened',
  'data',
  'finished',
  'reset',
  'closed',
  'writable',
  'goaway',
  'roundTrip',
  'reauth',
  'suspended',
  'resumed',
  'ended',
] as const;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** How one session of the run ended, for the check that the run was worth something. */
interface Tally {
  frames: number;
  sessions: number;
  resumes: number;
  readonly codes: Map<number, number>;
  readonly events: FuzzedSession['seen'];
}

/** One session and its peer, until the session ends or enough was sent. */
function converse(random: Prng, tally: Tally): void {
  const resumes = random.once(3);
  const subject = new FuzzedSession(
    random.once(2) ? 'hub' : 'agent',
    random,
    resumes ? 60_000 : 0,
    tally.events,
  );
  const source = new FrameSource(subject, random);
  const most = random.below(MOST_PER_SESSION);
  tally.sessions++;
  for (let frames = 0; frames < most && !subject.session.ended;) {
    const count = 1 + random.below(12);
    const message = Buffer.concat(Array.from({ length: count }, () => source.next()));
    subject.receive(message, random.once(10) ? 1 + random.below(40) : Infinity);
    frames += count;
    tally.frames += count;
    subject.act();
    if (resumes && random.once(6)) {
      subject.session.linkLost('lost', subject.now);
      for (let n = random.below(3); n > 0; n--) subject.act();
      if (!subject.session.suspended) continue;
      subject.session.resume(subject.now);
      source.beginTable();
      tally.resumes++;
    }
  }
  const { endCode } = subject;
  if (endCode !== undefined) tally.codes.set(endCode, (tally.codes.get(endCode) ?? 0) + 1);
  subject.close();
}

describe('a session, fuzzed', function () {
  this.timeout(120_000 * FACTOR);

  it(`bears ${FRAMES.toLocaleString('en')} frames of a peer that breaks the rules (seed ${SEED})`, () => {
    const random = new Prng(SEED);
    const tally: Tally = { frames: 0, sessions: 0, resumes: 0, codes: new Map(), events: new Map() };
    let warm: number | undefined;
    try {
      while (tally.frames < FRAMES) {
        converse(random, tally);
        if (warm === undefined && tally.frames > FRAMES / 10) warm = heapBytes();
      }
    } catch (error) {
      throw new Error(`NC_FUZZ_SEED=${SEED} repeats it: ${String(error)}`, { cause: error });
    }
    expect(heapBytes() - (warm ?? 0)).to.be.below(HEAP_ROOM_BYTES);
    // The run saw real lives and every kind of end that such a peer can provoke.
    expect(tally.frames / tally.sessions).to.be.above(20);
    expect(tally.resumes).to.be.above(1000);
    for (const type of EVENTS) expect(tally.events.get(type) ?? 0, type).to.be.above(50);
    expect([...tally.codes.keys()]).to.include.members([4400, 4413]);
  });
});
