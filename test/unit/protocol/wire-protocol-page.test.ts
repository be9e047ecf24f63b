import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { FrameType, type Hello, type HelloAck, type PeerLimits } from '../../../protocol/index.js';
import { CloseCode, RST_REASONS } from '../../../protocol/wire/constants.js';
import { SimPair } from '../../support/sim-pair.js';
import { readFrameVectors } from '../../support/wire-vectors.js';
import { encodeFrames, splitFrames } from '../../support/wire-frames.js';

const PAGE = readFileSync('docs/reference/wire-protocol.md', 'utf8');

/** The hex of one line of a code block: everything before three spaces. */
function hexOf(line: string): string {
  return (line.split(/ {3}/, 1)[0] ?? '').replaceAll(' ', '');
}

/** The contents of the fenced blocks of one language. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(
    (match) => match[1] ?? '',
  );
}

/** The text of a section, from its heading to the next one of any depth. */
function section(number: string): string {
  const start = PAGE.search(new RegExp(`^#+ §${number.replace('.', '\\.')} `, 'm'));
  if (start < 0) throw new Error(`the page has no §${number}`);
  const body = PAGE.indexOf('\n', start) + 1;
  const length = PAGE.slice(body).search(/^#+ §/m);
  return length < 0 ? PAGE.slice(start) : PAGE.slice(start, body + length);
}

const LIMITS: PeerLimits = { windowBytes: 262_144, maxStreams: 4096, maxPayload: 65_536 };
const HELLO: Hello = {
  agentId: 'site-a',
  bootId: '9f86d081884c7d659a2feaa0c55ad015',
  version: '1.0.0',
  features: [],
  connectors: ['db'],
  limits: LIMITS,
  resume: undefined,
  overlaps: undefined,
};
const ACK: HelloAck = {
  sessionId: 's-1',
  hubId: 'hub-1',
  version: '1.0.0',
  features: [],
  connectors: ['db'],
  limits: LIMITS,
  resumed: false,
  resume: undefined,
};

/** Runs the example of §11 between two real sessions; each side's frames in hex, in the order of sending. */
function runExample(): Record<'A' | 'H', string[]> {
  const sent: Record<'A' | 'H', string[]> = {
    A: [hex(encodeFrames({ type: FrameType.Hello, hello: HELLO }))],
    H: [hex(encodeFrames({ type: FrameType.HelloAck, ack: ACK }))],
  };
  const side = { limits: LIMITS, windowBytes: 262_144, maxWindowBytes: 262_144 };
  const sim = new SimPair({
    latencyMs: 5,
    autoConsume: false,
    hub: side,
    agent: side,
    onMessage: (from, bytes) => {
      for (const frame of splitFrames(bytes)) sent[from === 'hub' ? 'H' : 'A'].push(hex(frame));
    },
  });
  sim.runUntilIdle();
  const CLIENT = '10.0.0.7:51234';
  const cid = sim.hub.session.open('db', CLIENT, sim.now) as number;
  // The client's first bytes do not wait for the answer.
  sim.hub.write(cid, Buffer.from('hello\n'));
  sim.runUntilIdle();
  sim.agent.accept(cid);
  sim.agent.consume(cid, 6);
  sim.runUntilIdle();
  sim.hub.finish(cid);
  sim.runUntilIdle();
  sim.agent.consume(cid, 1);
  sim.agent.write(cid, Buffer.from('HELLO\n'));
  sim.agent.finish(cid);
  sim.runUntilIdle();
  sim.hub.consume(cid, 7);
  sim.runUntilIdle();
  const refused = sim.hub.session.open('erp', CLIENT, sim.now) as number;
  sim.runUntilIdle();
  sim.agent.reset(refused, 'unknown_connector');
  sim.agent.session.reauthenticate('eyJhbGciOiJFZERTQSJ9.e30.c2ln');
  sim.runUntilIdle();
  sim.hub.session.drain(CloseCode.Draining, 30_000);
  sim.runUntilIdle();
  for (const { session } of sim.sides) expect(session.streamCount).to.equal(0);
  return sent;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

describe('the page wire-protocol.md', () => {
  const vectors = readFrameVectors();

  for (const vector of vectors.filter(({ name }) => name.startsWith('§'))) {
    const [clause = '', name = ''] = vector.name.slice(1).split(' ');
    it(`shows in §${clause} the bytes that the vectors give for ${name}`, () => {
      const [example = ''] = blocks(section(clause), 'hex');
      expect(example.split('\n').map(hexOf).join('')).to.equal(hex(vector.bytes));
    });
  }

  it('has a worked example for every frame type', () => {
    const shown = vectors.filter(({ name }) => name.startsWith('§')).map(({ frame }) => frame.type);
    expect(new Set(shown)).to.deep.equal(new Set(Object.values(FrameType)));
  });

  it('lists every type with its code', () => {
    const listed = [...section('3').matchAll(/^\| 0x([0-9a-f]{2}) \| ([A-Z_]+) \|/gm)];
    const codes = Object.entries(FrameType).map(([name, code]) => [
      name.replace(/(?<=[a-z])(?=[A-Z])/, '_').toUpperCase(),
      code,
    ]);
    expect(listed.map(([, code = '', name]) => [name, parseInt(code, 16)])).to.deep.equal(codes);
  });

  it('lists every reason of RST with its code', () => {
    const listed = [...section('8').matchAll(/^\| (\d+) \| `(\w+)` \|/gm)];
    expect(listed.map(([, code, name]) => [Number(code), name])).to.deep.equal(
      RST_REASONS.map((reason, index) => [index + 1, reason]),
    );
  });

  it('lists every close code', () => {
    const listed = [...section('9').matchAll(/^\| (\d{4}) \|/gm)].map(([, code]) => Number(code));
    expect(listed).to.deep.equal(Object.values(CloseCode));
  });

  it('shows in §11 exactly what two real sessions send', () => {
    const sent = runExample();
    const [transcript = ''] = blocks(section('11'), 'transcript');
    const shown: Record<string, string[]> = { A: [], H: [] };
    for (const line of transcript.trimEnd().split('\n')) {
      const frames = shown[line.slice(0, 1)];
      if (frames === undefined) throw new Error(`a line of the transcript without a sender: ${line}`);
      frames.push(hexOf(line.slice(2)));
    }
    expect(shown).to.deep.equal(sent);
  });
});
