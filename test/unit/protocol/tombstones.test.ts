import { expect } from 'chai';
import { MOST_TOMBSTONES, Tombstones } from '../../../protocol/session/tombstones.js';

const CLEAN = { opened: true, reason: undefined };
const RESET = { opened: false, reason: 'connect_refused' } as const;

function cids(stones: Tombstones): number[] {
  return [...stones.entries()].map(([cid]) => cid);
}

describe('tombstones', () => {
  it('keep how each stream ended', () => {
    const stones = new Tombstones(MOST_TOMBSTONES);
    stones.add(2, CLEAN, 1);
    stones.add(4, RESET, 1);
    expect([...stones.entries()]).to.deep.equal([
      [2, { ...CLEAN, epoch: 1 }],
      [4, { ...RESET, epoch: 1 }],
    ]);
  });

  it('go when a PING that was sent after the end is answered, and not before', () => {
    const stones = new Tombstones(MOST_TOMBSTONES);
    for (const [cid, epoch] of [
      [2, 0],
      [4, 1],
      [6, 2],
      [8, 2],
      [10, 3],
    ] as const) {
      stones.add(cid, CLEAN, epoch);
    }
    stones.confirm(0);
    expect(cids(stones)).to.deep.equal([2, 4, 6, 8, 10]);
    stones.confirm(2);
    expect(cids(stones)).to.deep.equal([6, 8, 10]);
    stones.confirm(4);
    expect(stones.size).to.equal(0);
  });

  it('call for a PING when there are more than 1,024', () => {
    const stones = new Tombstones(MOST_TOMBSTONES);
    for (let n = 1; n <= 1024; n++) stones.add(2 * n, CLEAN, 1);
    expect(stones.crowded).to.equal(false);
    stones.add(2050, CLEAN, 1);
    expect(stones.crowded).to.equal(true);
    stones.confirm(2);
    expect(stones.crowded).to.equal(false);
  });

  it('never are more than 65,536: the oldest goes', () => {
    const stones = new Tombstones(MOST_TOMBSTONES);
    for (let n = 1; n <= 65_536; n++) stones.add(2 * n, CLEAN, 1);
    expect([stones.size, cids(stones)[0]]).to.deep.equal([65_536, 2]);
    stones.add(200_000, RESET, 2);
    expect([stones.size, cids(stones)[0]]).to.deep.equal([65_536, 4]);
    expect([...stones.entries()].at(-1)).to.deep.equal([200_000, { ...RESET, epoch: 2 }]);
  });
  it('are not kept where nothing is resumed', () => {
    const stones = new Tombstones(0);
    stones.add(2, CLEAN, 1);
    expect([stones.size, stones.crowded]).to.deep.equal([0, false]);
  });
});
