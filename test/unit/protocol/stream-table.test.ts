import { expect } from 'chai';
import { SessionError } from '../../../protocol/errors.js';
import { Stream } from '../../../protocol/stream/stream.js';
import { StreamTable } from '../../../protocol/stream/stream-table.js';

function stream(cid: number): Stream {
  return new Stream({ cid, connector: 'db', client: '', openState: 'opening', peerLimit: 0, window: 0 }, 0);
}

describe('the table of streams', () => {
  it('gives a hub the even cids from 2 and an agent the odd ones from 1', () => {
    const [hub, agent] = [new StreamTable('hub'), new StreamTable('agent')];
    expect([hub.takeOwn(), hub.takeOwn(), hub.takeOwn()]).to.deep.equal([2, 4, 6]);
    expect([agent.takeOwn(), agent.takeOwn(), agent.takeOwn()]).to.deep.equal([1, 3, 5]);
    expect([hub.isOwn(8), hub.isOwn(7), agent.isOwn(7), agent.isOwn(0xffff_fffe)]).to.deep.equal([
      true,
      false,
      true,
      false,
    ]);
  });

  for (const [role, last] of [
    ['hub', 0xffff_fffe],
    ['agent', 0xffff_ffff],
  ] as const) {
    it(`gives a ${role} its last cid once, and none after it`, () => {
      const table = new StreamTable(role, last - 2);
      expect([table.takeOwn(), table.takeOwn(), table.takeOwn()]).to.deep.equal([last - 2, last, undefined]);
      expect(table.takeOwn()).to.equal(undefined);
      expect(table.find(last)).to.equal(undefined);
    });
  }

  it('says a million cids ahead that they are nearly spent', () => {
    const table = new StreamTable('hub', 0xffff_ffff + 1 - 0x10_0000 - 2);
    expect(table.nearlySpent).to.equal(false);
    table.takeOwn();
    expect(table.nearlySpent).to.equal(true);
  });

  it('admits cids of the peer that rise, and no others', () => {
    const table = new StreamTable('agent');
    expect(table.highestPeer).to.equal(0);
    table.admitPeer(2);
    table.admitPeer(10);
    expect(table.highestPeer).to.equal(10);
    for (const cid of [10, 4, 2]) expect(() => table.admitPeer(cid)).to.throw(SessionError, 'used before');
    expect(() => table.admitPeer(11))
      .to.throw(SessionError, 'parity')
      .with.property('code', 4400);
  });

  it('tells a stream that is over from one that never was', () => {
    const table = new StreamTable('hub');
    const live = stream(table.takeOwn() ?? 0);
    table.add(live);
    expect(table.find(2)).to.equal(live);
    expect(table.get(2)).to.equal(live);
    expect([...table.values()]).to.deep.equal([live]);
    expect(table.size).to.equal(1);
    expect(table.remove(2)).to.equal(true);
    expect(table.remove(2)).to.equal(false);
    expect(table.find(2)).to.equal(undefined);
    expect(() => table.find(4))
      .to.throw(SessionError, 'never opened')
      .with.property('code', 4400);
    expect(() => table.find(1)).to.throw(SessionError);
    table.admitPeer(3);
    expect(table.find(1)).to.equal(undefined);
    expect(table.find(3)).to.equal(undefined);
  });
});
