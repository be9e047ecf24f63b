/** Two sessions in a legal conversation, on a link that now and then bends a message; and the same for the handshake. */
import { expect } from 'chai';
import { AgentHandshake, encodeFrame, FrameType, HubHandshake } from '../../protocol/index.js';
import { splitFrames } from '../support/wire-frames.js';
import { readFrameVectors } from '../support/wire-vectors.js';
import { FuzzedSession } from './fuzzed-session.js';
import { mutate } from './mutate.js';
import { FACTOR, Prng, SEED } from './prng.js';

const FRAMES = 150_000 * FACTOR;
const HANDSHAKES = 30_000 * FACTOR;
const MOST_TURNS = 400;

interface Tally {
  frames: number;
  mutations: number;
  conversations: number;
  ended: number;
}

/** One conversation; one message in `oneIn` is bent. */
function converse(random: Prng, tally: Tally, oneIn: number): void {
  const sides = [new FuzzedSession('hub', random, 0), new FuzzedSession('agent', random, 0)] as const;
  tally.conversations++;
  for (let turn = random.below(MOST_TURNS); turn > 0; turn--) {
    for (const [from, to] of [sides, [sides[1], sides[0]]] as const) {
      for (const message of from.act()) {
        tally.frames += splitFrames(message).length;
        const bent = random.once(oneIn);
        if (bent) tally.mutations++;
        to.receive(
          bent ? mutate(message, random) : message,
          random.once(20) ? 1 + random.below(50) : Infinity,
        );
      }
    }
    if (sides.some(({ session }) => session.ended)) break;
  }
  if (sides.some(({ session }) => session.ended)) tally.ended++;
  for (const side of sides) side.close();
}

function repeatable(work: () => void): void {
  try {
    work();
  } catch (error) {
    throw new Error(`NC_FUZZ_SEED=${SEED} repeats it: ${String(error)}`, { cause: error });
  }
}

describe(`two sessions on a link that bends messages (seed ${SEED})`, function () {
  this.timeout(120_000 * FACTOR);

  it(`bear it for ${FRAMES.toLocaleString('en')} frames`, () => {
    const random = new Prng(SEED);
    const tally: Tally = { frames: 0, mutations: 0, conversations: 0, ended: 0 };
    repeatable(() => {
      while (tally.frames < FRAMES) converse(random, tally, 60);
    });
    expect(tally.mutations).to.be.above(FRAMES / 1000);
    expect(tally.ended).to.be.above(tally.conversations / 4);
  });

  it('never end when it bends none', () => {
    const random = new Prng(SEED);
    const tally: Tally = { frames: 0, mutations: 0, conversations: 0, ended: 0 };
    repeatable(() => {
      while (tally.frames < FRAMES / 5) converse(random, tally, Infinity);
    });
    expect(tally).to.include({ mutations: 0, ended: 0 });
  });
});

describe(`a handshake, fuzzed (seed ${SEED})`, function () {
  this.timeout(60_000 * FACTOR);

  const documents = readFrameVectors().filter(
    ({ bytes, name }) => name.includes('HELLO') && bytes.length < 1000,
  );

  it(`bears ${HANDSHAKES.toLocaleString('en')} bent documents, and takes only what can be said again`, () => {
    const random = new Prng(SEED);
    const results = { more: 0, done: 0, failed: 0 };
    repeatable(() => {
      for (let n = 0; n < HANDSHAKES; n++) {
        const { bytes } = random.pick(documents);
        const bent = bytes.slice();
        for (let faults = 1 + random.below(3); faults > 0; faults--) {
          const at = 9 + random.below(bent.length - 9);
          bent[at] = random.once(2) ? random.next() : random.pick([0x22, 0x2c, 0x30, 0x5b, 0x7d, 0x2d, 0x65]);
        }
        const message = random.once(10) ? mutate(bent, random) : bent;
        const role = random.once(2) ? new HubHandshake(5000) : new AgentHandshake(5000);
        const result = role.receive(message);
        results[result.type]++;
        if (result.type === 'failed') expect(result.code).to.equal(4400);
        if (result.type !== 'done') continue;
        const { document } = result;
        const again =
          'hubId' in document
            ? new AgentHandshake(5000).receive(encodeFrame({ type: FrameType.HelloAck, ack: document }))
            : new HubHandshake(5000).receive(encodeFrame({ type: FrameType.Hello, hello: document }));
        expect(again).to.deep.include({ type: 'done', document });
      }
    });
    for (const count of Object.values(results)) expect(count).to.be.above(20);
  });

  it('bears any depth and any length of JSON', () => {
    for (const unit of ['[', '{"a":', '"', '\\', '9', ' ', '\u0000', '{"protocol":2,"limits":']) {
      const body = Buffer.from(unit.repeat(131_072 / unit.length));
      const header = Buffer.from([
        body.length >> 16,
        body.length >> 8,
        body.length,
        FrameType.Hello,
        0,
        0,
        0,
        0,
        0,
      ]);
      expect(new HubHandshake(5000).receive(Buffer.concat([header, body]))).to.include({
        type: 'failed',
        code: 4400,
      });
    }
  });
});
