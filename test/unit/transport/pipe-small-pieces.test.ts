import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { waitFor } from '../../support/wait-for.js';
import { PipeHarness } from './pipe-harness.js';
import { Sockets } from './sockets.js';

const MIB = 1_048_576;

describe('small pieces for a socket that does not take them', () => {
  const sockets = new Sockets();
  afterEach(() => sockets.close());

  /** How often the socket was written to. */
  function countWrites(socket: Socket): () => number {
    const write = socket.write.bind(socket) as (bytes: Uint8Array, done: () => void) => boolean;
    let count = 0;
    socket.write = ((bytes: Uint8Array, done: () => void) => {
      count++;
      return write(bytes, done);
    }) as typeof socket.write;
    return () => count;
  }

  /** Everything that comes to a socket. */
  function read(socket: Socket): () => Buffer {
    const came: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => came.push(bytes));
    socket.resume();
    return () => Buffer.concat(came);
  }

  function giveByteByByte({ pipe }: PipeHarness, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at++) pipe.onData(bytes.subarray(at, at + 1));
  }

  it('wait together, come in order among larger ones, and FIN behind them', async () => {
    const { ours, theirs } = await sockets.pair();
    const harness = new PipeHarness();
    const { pipe, stream } = harness;
    pipe.attach(ours);
    pipe.bind(stream.handle);
    const filling = randomBytes(8 * MIB);
    pipe.onData(filling);
    expect(ours.writableLength, 'the socket is full').to.be.above(0);
    const writes = countWrites(ours);
    const content = randomBytes(30_000);
    giveByteByByte(harness, content.subarray(0, 10_000));
    pipe.onData(content.subarray(10_000, 20_000));
    giveByteByByte(harness, content.subarray(20_000));
    pipe.onFinished();
    expect(writes()).to.be.at.most(64 + 10);
    expect(stream.consumedBytes).to.equal(0);
    const came = read(theirs);
    const total = filling.length + content.length;
    await waitFor('all of it and FIN', () => theirs.readableEnded);
    expect(Buffer.compare(came(), Buffer.concat([filling, content]))).to.equal(0);
    await waitFor('credit for all of it', () => stream.consumedBytes === total + 1);
    expect(harness.counted.toSocket).to.equal(total);
  });

  it('are dropped with the stream', async () => {
    const { ours } = await sockets.pair();
    const harness = new PipeHarness();
    harness.pipe.attach(ours);
    harness.pipe.bind(harness.stream.handle);
    harness.pipe.onData(randomBytes(8 * MIB));
    giveByteByByte(harness, randomBytes(10_000));
    harness.pipe.abort('idle_timeout');
    await waitFor('the end', () => ours.closed);
    expect(harness.ends).to.deep.equal(['idle_timeout']);
    expect(harness.stream.consumedBytes).to.equal(0);
  });

  it('are kept together until there is a socket', async () => {
    const { ours, theirs } = await sockets.pair();
    const harness = new PipeHarness('target');
    harness.pipe.bind(harness.stream.handle);
    const content = randomBytes(10_000);
    giveByteByByte(harness, content);
    const writes = countWrites(ours);
    harness.pipe.attach(ours);
    expect(writes()).to.be.at.most(64 + 1);
    const came = read(theirs);
    await waitFor('all of it', () => came().length === content.length);
    expect(Buffer.compare(came(), content)).to.equal(0);
    await waitFor('credit for all of it', () => harness.stream.consumedBytes === content.length);
  });
});
