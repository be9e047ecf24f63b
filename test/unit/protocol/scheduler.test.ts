import { expect } from 'chai';
import fc from 'fast-check';
import {
  INTERACTIVE_BYTES,
  QUANTUM_BYTES,
  Scheduler,
  type Turn,
} from '../../../protocol/session/scheduler.js';
import { Stream } from '../../../protocol/stream/stream.js';

const PAYLOAD = 65_536;
/** Bulk is never held back. */
const OPEN = { mayGo: () => true, frame: () => 1_000_000 };

function stream(cid: number, chunks: readonly number[] = [], peerLimit = Number.MAX_SAFE_INTEGER): Stream {
  const made = new Stream(
    { cid, connector: 'db', client: '', openState: 'offered', peerLimit, window: 0 },
    0,
  );
  for (const size of chunks) made.buffer.write(new Uint8Array(size));
  return made;
}

/** Plays one turn as the outbox does; returns the bytes, or undefined when nothing is due. */
function play(scheduler: Scheduler): { turn: Turn; bytes: number } | undefined {
  const turn = scheduler.next();
  if (turn === undefined) return undefined;
  const { buffer, peerLimit } = turn.stream;
  const most = Math.min(turn.most, PAYLOAD, peerLimit - buffer.sent);
  const bytes = turn.stream.buffer.unsent > 0 ? buffer.take(most).bytes.length : 0;
  if (turn.stream.finDue) turn.stream.finSent = true;
  scheduler.sent(turn.stream, bytes);
  return { turn, bytes };
}

/** Keeps a stream full of chunks of one size. */
function fill(one: Stream, chunk: number): void {
  const piece = new Uint8Array(chunk);
  while (one.buffer.unsent < 300_000) one.buffer.write(piece);
  one.buffer.acknowledge(one.buffer.sent);
}

describe('the scheduler', () => {
  it('has no turn when nothing is to be sent', () => {
    const scheduler = new Scheduler(OPEN);
    scheduler.activate(stream(2));
    expect(scheduler.next()).to.equal(undefined);
  });

  for (const chunks of [[65_536], [1500], [4096, 16_384, 65_536, 700, 10]]) {
    it(`gives 64 bulk streams equal shares within 5 %, with chunks of ${chunks.join(', ')} bytes`, () => {
      const scheduler = new Scheduler(OPEN);
      const streams = Array.from({ length: 64 }, (_, index) => ({
        stream: stream(2 + 2 * index),
        chunk: chunks[index % chunks.length] ?? 0,
        bytes: 0,
      }));
      const byStream = new Map(streams.map((entry) => [entry.stream, entry]));
      for (const entry of streams) {
        fill(entry.stream, entry.chunk);
        scheduler.activate(entry.stream);
      }
      for (let total = 0; total < 64 * 40 * QUANTUM_BYTES;) {
        const played = play(scheduler);
        if (played === undefined) throw new Error('the scheduler has no turn for full streams');
        const entry = byStream.get(played.turn.stream)!;
        entry.bytes += played.bytes;
        total += played.bytes;
        fill(entry.stream, entry.chunk);
      }
      const counts = streams.map(({ bytes }) => bytes);
      const mean = counts.reduce((sum, bytes) => sum + bytes, 0) / counts.length;
      for (const bytes of counts) expect(Math.abs(bytes - mean) / mean).to.be.below(0.05);
    });
  }

  it('cuts a turn into the frames that the link takes, and gives nobody more turns for it', () => {
    const scheduler = new Scheduler({ ...OPEN, frame: () => 16_384 });
    for (const cid of [2, 4]) scheduler.activate(stream(cid, [200_000]));
    const frames = Array.from({ length: 8 }, () => play(scheduler)!);
    expect(frames.map(({ bytes }) => bytes)).to.deep.equal(Array.from({ length: 8 }, () => 16_384));
    expect(frames.map(({ turn }) => turn.stream.cid)).to.deep.equal([2, 2, 2, 2, 4, 4, 4, 4]);
  });

  it('lets a keystroke go ahead of everything bulky', () => {
    const scheduler = new Scheduler(OPEN);
    for (let cid = 2; cid < 40; cid += 2) scheduler.activate(stream(cid, [200_000]));
    const typing = stream(100, [1]);
    scheduler.activate(typing);
    expect(play(scheduler)?.turn.stream).to.equal(typing);
  });

  it(`counts up to ${INTERACTIVE_BYTES} queued bytes as interactive`, () => {
    const scheduler = new Scheduler(OPEN);
    const [more, fewer] = [stream(2, [INTERACTIVE_BYTES + 1]), stream(4, [INTERACTIVE_BYTES])];
    scheduler.activate(more);
    scheduler.activate(fewer);
    expect([more.queue, fewer.queue]).to.deep.equal(['bulk', 'interactive']);
    expect(play(scheduler)?.turn.stream).to.equal(fewer);
  });

  it('keeps interactive streams in the order in which they came', () => {
    const scheduler = new Scheduler(OPEN);
    const streams = [2, 4, 6].map((cid) => stream(cid, [10]));
    for (const one of streams) scheduler.activate(one);
    expect([1, 2, 3].map(() => play(scheduler)?.turn.stream)).to.deep.equal(streams);
  });

  it('gives bulk its share under a flood of interactive writes', () => {
    const scheduler = new Scheduler(OPEN);
    const bulk = stream(2);
    fill(bulk, 65_536);
    scheduler.activate(bulk);
    const flood = Array.from({ length: 50 }, (_, index) => stream(4 + 2 * index));
    let [bulkBytes, total] = [0, 0];
    let longestWait = 0;
    for (let waited = 0, turns = 0; turns < 20_000; turns++) {
      for (const one of flood) {
        if (one.buffer.unsent === 0) one.buffer.write(new Uint8Array(200));
        scheduler.activate(one);
      }
      const played = play(scheduler)!;
      total += played.bytes;
      if (played.turn.stream === bulk) {
        bulkBytes += played.bytes;
        waited = 0;
        fill(bulk, 65_536);
      } else {
        played.turn.stream.buffer.acknowledge(played.turn.stream.buffer.sent);
        waited += played.bytes;
        longestWait = Math.max(longestWait, waited);
      }
    }
    expect(bulkBytes / total).to.be.above(0.4);
    expect(longestWait).to.be.at.most(65_536);
  });

  it('holds bulk back while it may not go, lets small messages pass, and asks only when there is bulk', () => {
    let [open, asked] = [false, 0];
    const scheduler = new Scheduler({ ...OPEN, mayGo: () => (asked++, open) });
    const [bulk, small] = [stream(2), stream(4)];
    const type = (): void => {
      small.buffer.write(new Uint8Array(4000));
      scheduler.activate(small);
    };
    type();
    expect(play(scheduler)?.turn.stream).to.equal(small);
    expect([play(scheduler), asked]).to.deep.equal([undefined, 0]);
    fill(bulk, 65_536);
    scheduler.activate(bulk);
    expect([play(scheduler), asked]).to.deep.equal([undefined, 1]);
    // Also more of them than the share after which bulk would be due.
    for (let turn = 0; turn < 40; turn++) {
      type();
      expect(play(scheduler)?.turn.stream).to.equal(small);
    }
    open = true;
    type();
    expect(play(scheduler)?.turn.stream).to.equal(bulk);
    expect(play(scheduler)?.turn.stream).to.equal(small);
  });

  it('gives a turn for a FIN alone', () => {
    const scheduler = new Scheduler(OPEN);
    const one = stream(2);
    one.trySend('finish');
    scheduler.activate(one);
    expect(play(scheduler)).to.deep.include({ bytes: 0 });
    expect(play(scheduler)).to.equal(undefined);
  });

  it('passes over a stream that was reset or lost its credit since it was queued', () => {
    const scheduler = new Scheduler(OPEN);
    const [gone, dry, live] = [stream(2, [10]), stream(4, [10], 10), stream(6, [10])];
    for (const one of [gone, dry, live]) scheduler.activate(one);
    gone.buffer.drain();
    gone.trySend('reset');
    dry.peerLimit = 0;
    expect(play(scheduler)?.turn.stream).to.equal(live);
    expect(scheduler.next()).to.equal(undefined);
    dry.peerLimit = 10;
    scheduler.activate(dry);
    expect(play(scheduler)?.turn.stream).to.equal(dry);
  });

  it('puts a stream into its queue once', () => {
    const scheduler = new Scheduler(OPEN);
    const one = stream(2, [10]);
    scheduler.activate(one);
    scheduler.activate(one);
    expect(play(scheduler)?.bytes).to.equal(10);
    expect(scheduler.next()).to.equal(undefined);
  });

  it('lets no stream wait for more than one round of the others', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 4097, max: 70_000 }), { minLength: 2, maxLength: 12 }),
        (chunks) => {
          const scheduler = new Scheduler(OPEN);
          const streams = chunks.map((_, index) => stream(2 + 2 * index));
          const since = new Map(streams.map((one) => [one, 0]));
          streams.forEach((one, index) => {
            fill(one, chunks[index] ?? 1);
            scheduler.activate(one);
          });
          for (let turns = 0; turns < 400; turns++) {
            const { turn, bytes } = play(scheduler)!;
            for (const [one, waited] of since) since.set(one, one === turn.stream ? 0 : waited + bytes);
            fill(turn.stream, chunks[streams.indexOf(turn.stream)] ?? 1);
            for (const waited of since.values())
              expect(waited).to.be.at.most(streams.length * (QUANTUM_BYTES + PAYLOAD));
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it('forgets nobody when thousands come and go', () => {
    const scheduler = new Scheduler(OPEN);
    let sent = 0;
    for (let cid = 2; cid < 6000; cid += 2) {
      scheduler.activate(stream(cid, [10]));
      if (cid % 3 === 0 && play(scheduler)) sent++;
    }
    while (play(scheduler)) sent++;
    expect(sent).to.equal(2999);
  });
});
