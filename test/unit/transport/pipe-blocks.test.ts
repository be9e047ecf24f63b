import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { blocks } from '../../../transport/block-pool.js';
import { waitFor } from '../../support/wait-for.js';
import { PipeHarness } from './pipe-harness.js';
import { Sockets } from './sockets.js';

/** Guards of the pipe that can be switched off. */
type Guard = 'hold' | 'copy' | undefined;

describe('bytes out of a block, to a socket that does not take them at once', () => {
  const sockets = new Sockets();
  afterEach(() => sockets.close());

  /** Writes blocks until two wait in the process, uses the blocks for other bytes each time, and reads what comes. */
  async function throughFullSocket(without: Guard): Promise<{ came: Buffer; written: Buffer }> {
    const { ours, theirs } = await sockets.pair();
    const { pipe, stream } = new PipeHarness();
    pipe.attach(ours);
    pipe.bind(stream.handle);
    if (without === 'hold') blocks.hold = () => undefined;
    if (without === 'copy') blocks.copy = (bytes) => bytes;
    const written: Buffer[] = [];
    try {
      for (let waiting = 0; waiting < 2;) {
        const block = blocks.take();
        const content = randomBytes(block.length);
        block.set(content);
        written.push(content);
        pipe.onData(block);
        // As the link's reader does: the next read lands where this one did, unless somebody holds the block.
        if (blocks.isHeldOnce(block)) block.fill(0xee);
        // The first that waits is held, the next one copied; without that the pipe lets go of what the reader took.
        const relied = ours.writableLength === 0 ? 'neither' : waiting === 0 ? 'hold' : 'copy';
        if (relied !== 'neither') waiting += 1;
        if (without !== relied) blocks.letGo(block);
      }
    } finally {
      for (const guard of ['hold', 'copy'] as const) Reflect.deleteProperty(blocks, guard);
    }
    const came: Buffer[] = [];
    theirs.on('data', (bytes: Buffer) => came.push(bytes));
    theirs.resume();
    const total = written.reduce((sum, { length }) => sum + length, 0);
    await waitFor('all of it', () => came.reduce((sum, { length }) => sum + length, 0) === total);
    await waitFor('credit for all of it', () => stream.consumedBytes === total);
    return { came: Buffer.concat(came), written: Buffer.concat(written) };
  }

  it('come as they were', async () => {
    const free = blocks.freeBlocks;
    const { came, written } = await throughFullSocket(undefined);
    expect(Buffer.compare(came, written)).to.equal(0);
    expect(blocks.freeBlocks, 'every block is let go in the end').to.be.at.least(free);
  });

  for (const guard of ['hold', 'copy'] as const) {
    it(`would be others if the pipe did not ${guard} them`, async () => {
      const { came, written } = await throughFullSocket(guard);
      expect(came.length).to.equal(written.length);
      expect(Buffer.compare(came, written)).to.not.equal(0);
    });
  }
});
