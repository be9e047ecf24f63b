import { expect } from 'chai';
import { BLOCK_BYTES, BLOCK_ROOM, BlockPool, withRoom } from '../../../transport/block-pool.js';

describe('BlockPool', () => {
  it('gives a block with room before it, in memory of its own', () => {
    const pool = new BlockPool();
    const [one, two] = [pool.take(), pool.take()];
    expect([one.length, one.byteOffset]).to.deep.equal([BLOCK_BYTES, BLOCK_ROOM]);
    expect(one.buffer).to.not.equal(two.buffer);
    expect(one.buffer.byteLength, 'four TLS records').to.equal(65_536);
  });

  it('gives a block again once everybody has let go of it, by whatever view, and not before', () => {
    const pool = new BlockPool();
    const block = pool.take();
    pool.hold(block.subarray(5, 10));
    pool.letGo(block);
    expect(pool.freeBlocks).to.equal(0);
    expect(pool.take().buffer).to.not.equal(block.buffer);
    pool.letGo(block.subarray(100));
    expect(pool.freeBlocks).to.equal(1);
    expect(pool.take().buffer).to.equal(block.buffer);
  });

  it('knows whether the caller is the only one who holds a block', () => {
    const pool = new BlockPool();
    const block = pool.take();
    expect(pool.isHeldOnce(block)).to.equal(true);
    pool.hold(block);
    expect(pool.isHeldOnce(block)).to.equal(false);
    pool.letGo(block);
    expect(pool.isHeldOnce(block.subarray(1))).to.equal(true);
    pool.letGo(block);
    expect(pool.isHeldOnce(block)).to.equal(false);
  });

  it('does not bear a block that is let go once too often', () => {
    const pool = new BlockPool();
    const block = pool.take();
    pool.letGo(block);
    expect(() => pool.letGo(block)).to.throw('once too often');
  });

  it('leaves memory alone that is not its own', () => {
    const pool = new BlockPool();
    const others = new BlockPool().take();
    for (const memory of [new Uint8Array(10), Buffer.from('shared with others'), others]) {
      pool.hold(memory);
      pool.letGo(memory);
      pool.letGo(memory);
      expect(pool.isHeldOnce(memory)).to.equal(false);
    }
    expect(pool.freeBlocks).to.equal(0);
  });

  it('keeps 128 blocks for later, and no more', () => {
    const pool = new BlockPool();
    const taken = Array.from({ length: 200 }, () => pool.take());
    for (const block of taken) pool.letGo(block);
    expect(pool.freeBlocks).to.equal(128);
    // Those that were not kept are known all the same.
    expect(() => pool.letGo(taken[199] ?? new Uint8Array(0))).to.throw('once too often');
  });

  it('copies into a block what fills half of one, and anything else into memory that nobody counts', () => {
    const pool = new BlockPool();
    for (const [size, inBlock] of [
      [0, false],
      [BLOCK_BYTES / 2 - 1, false],
      [BLOCK_BYTES / 2, true],
      [BLOCK_BYTES, true],
      [BLOCK_BYTES + 1, false],
    ] as const) {
      const bytes = new Uint8Array(size).fill(7);
      const copy = pool.copy(bytes);
      bytes.fill(0);
      expect([copy.length, copy.every((byte) => byte === 7)]).to.deep.equal([size, true]);
      expect(pool.isHeldOnce(copy), String(size)).to.equal(inBlock);
    }
  });

  it('finds the room of a block', () => {
    const block = new BlockPool().take();
    const whole = withRoom(block);
    expect([whole.byteOffset, whole.length, whole.buffer]).to.deep.equal([0, 65_536, block.buffer]);
  });
});
