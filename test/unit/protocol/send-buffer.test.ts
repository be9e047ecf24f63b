import { expect } from 'chai';
import fc from 'fast-check';
import { SendBuffer } from '../../../protocol/stream/send-buffer.js';

/** The same, with one string of bytes that never forgets. */
class NaiveBuffer {
  bytes = Buffer.alloc(0);
  acknowledged = 0;
  sent = 0;

  write(bytes: Uint8Array): void {
    this.bytes = Buffer.concat([this.bytes, bytes]);
  }
  slice(from: number, to: number): Buffer {
    return this.bytes.subarray(from, to);
  }
}

type Command =
  | { readonly do: 'write'; readonly size: number }
  | { readonly do: 'take'; readonly most: number }
  | { readonly do: 'acknowledge' | 'rewind'; readonly share: number };

const size = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 6000 }) },
  { weight: 1, arbitrary: fc.constantFrom(4095, 4096, 4097, 16_384, 20_000) },
);
const share = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 1));
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), size }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('take' as const), most: fc.integer({ min: 1, max: 70_000 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('acknowledge' as const), share }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rewind' as const), share }) },
);

let counter = 0;
/** Bytes that differ from their neighbours, so that a wrong place shows. */
function fresh(length: number): Uint8Array {
  return Uint8Array.from({ length }, () => (counter = (counter * 31 + 7) & 0xffff) & 0xff);
}

function run(buffer: SendBuffer, naive: NaiveBuffer, todo: Command): void {
  if (todo.do === 'write') {
    const bytes = fresh(todo.size);
    buffer.write(bytes);
    naive.write(bytes);
  } else if (todo.do === 'take') {
    const taken = buffer.take(todo.most).bytes;
    expect(taken.length).to.be.at.most(todo.most);
    expect(taken.length > 0).to.equal(naive.sent < naive.bytes.length);
    const end = naive.sent + taken.length;
    expect(Buffer.compare(taken, naive.slice(naive.sent, end))).to.equal(0);
    naive.sent = end;
  } else {
    const offset = naive.acknowledged + Math.round(todo.share * (naive.sent - naive.acknowledged));
    if (todo.do === 'acknowledge') {
      expect(buffer.acknowledge(offset)).to.equal(offset - naive.acknowledged);
      naive.acknowledged = offset;
    } else {
      expect(buffer.rewind(offset)).to.equal(naive.sent - offset);
      naive.sent = offset;
    }
  }
  expect(pick(buffer)).to.deep.equal({
    acknowledged: naive.acknowledged,
    sent: naive.sent,
    written: naive.bytes.length,
    held: naive.bytes.length - naive.acknowledged,
    unsent: naive.bytes.length - naive.sent,
  });
}

function pick({ acknowledged, sent, written, held, unsent }: SendBuffer): object {
  return { acknowledged, sent, written, held, unsent };
}

describe('a send buffer', () => {
  it('gives every byte in order, whatever is written, taken, acknowledged and replayed', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 120, size: 'max' }), (commands) => {
        const buffer = new SendBuffer();
        const naive = new NaiveBuffer();
        for (const todo of commands) run(buffer, naive, todo);
        const rest = buffer.drain();
        expect(
          Buffer.compare(Buffer.concat(rest), naive.slice(naive.acknowledged, naive.bytes.length)),
        ).to.equal(0);
        expect(buffer.held + buffer.unsent).to.equal(0);
        expect(buffer.take(10).bytes).to.have.length(0);
      }),
      { numRuns: 400 },
    );
  });

  it('gives nothing when nothing was written', () => {
    const buffer = new SendBuffer();
    expect(buffer.take(100).bytes).to.have.length(0);
    expect(buffer.acknowledge(0)).to.equal(0);
    expect(buffer.rewind(0)).to.equal(0);
    expect(buffer.drain()).to.deep.equal([]);
  });

  it('hands on a large piece without a copy', () => {
    const buffer = new SendBuffer();
    const bytes = fresh(100_000);
    buffer.write(bytes);
    const taken = buffer.take(65_536).bytes;
    expect(taken.buffer).to.equal(bytes.buffer);
    expect(taken.length).to.equal(65_536);
  });

  it('joins small pieces, up to 16 KiB', () => {
    const buffer = new SendBuffer();
    for (let n = 0; n < 3000; n++) buffer.write(fresh(10));
    expect(buffer.take(65_536).bytes.length).to.equal(16_384);
    expect(buffer.take(100).bytes.length).to.equal(100);
  });

  it('does not join a single small piece', () => {
    const buffer = new SendBuffer();
    const bytes = fresh(10);
    buffer.write(bytes);
    expect(buffer.take(65_536).bytes.buffer).to.equal(bytes.buffer);
  });

  it('gives the room before a piece with its first bytes, once, also when it is sent again', () => {
    const buffer = new SendBuffer();
    buffer.write(fresh(20_000), 64);
    buffer.write(fresh(20_000));
    const rooms = (): number[] => [10_000, 70_000, 70_000].map((most) => buffer.take(most).room);
    expect(rooms()).to.deep.equal([64, 0, 0]);
    buffer.rewind(0);
    expect(rooms()).to.deep.equal([0, 0, 0]);
    // What is joined has memory of its own.
    for (let n = 0; n < 3; n++) buffer.write(fresh(10), 64);
    const { bytes, room } = buffer.take(70_000);
    expect([bytes.length, bytes.byteOffset, room]).to.deep.equal([30, 64, 64]);
  });

  it('tells of each array that was written once its last byte is acknowledged, once, in order', () => {
    const buffer = new SendBuffer();
    const written = [5000, 10, 20, 30, 70_000].map(fresh);
    for (const bytes of written) buffer.write(bytes, 64);
    const released: Uint8Array[] = [];
    const acknowledge = (offset: number): number =>
      buffer.acknowledge(offset, (chunk) => void released.push(chunk));
    while (buffer.unsent > 0) buffer.take(16_384);
    acknowledge(4999);
    expect(released).to.deep.equal([]);
    acknowledge(5015);
    expect(released).to.deep.equal(written.slice(0, 2));
    buffer.rewind(5015);
    acknowledge(5015);
    expect(released).to.have.length(2);
    while (buffer.unsent > 0) buffer.take(16_384);
    acknowledge(5060);
    expect(released).to.deep.equal(written.slice(0, 4));
    expect(buffer.drain()).to.deep.equal([written[4]]);
    expect(released, 'what is given back is not released').to.have.length(4);
  });

  it('gathers small pieces behind many others, so that single bytes do not take arrays of their own', () => {
    const buffer = new SendBuffer();
    const written = fresh(20_000);
    for (let at = 0; at < written.length; at++) {
      buffer.write(written.subarray(at, at + 1));
      // Some of it is sent and acknowledged before more is added behind it.
      if (at % 1000 === 999) while (buffer.unsent > 0) buffer.take(70_000);
      if (at === 10_499) buffer.acknowledge(9000);
    }
    const rest = buffer.drain();
    expect(rest.length).to.be.at.most(20);
    expect(Buffer.compare(Buffer.concat(rest), written.subarray(9000))).to.equal(0);
  });

  it('sends what was gathered behind bytes that were sent already', () => {
    const buffer = new SendBuffer();
    for (let n = 0; n < 17; n++) buffer.write(fresh(1));
    const taken = buffer.take(100).bytes;
    const before = Buffer.from(taken);
    const more = fresh(5);
    buffer.write(more);
    expect(buffer.take(100).bytes).to.deep.equal(more);
    expect(Buffer.compare(before, taken), 'what is on its way is not touched').to.equal(0);
    expect(buffer.rewind(3)).to.equal(19);
    expect(buffer.take(100).bytes).to.have.length(19);
  });

  it('keeps no slot for what was acknowledged long ago', () => {
    const buffer = new SendBuffer();
    const once = fresh(1000);
    buffer.write(once);
    for (let n = 0; n < 10_000; n++) {
      buffer.write(once);
      buffer.take(1000);
      buffer.acknowledge(buffer.sent);
    }
    expect(buffer.held).to.equal(1000);
    expect(buffer.drain()).to.have.length(1);
  });
});
