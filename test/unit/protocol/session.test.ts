import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { SimPair, WINDOW } from '../../support/sim-pair.js';

describe('a session', () => {
  function opened(sim: SimPair): number {
    const cid = sim.hub.open('db');
    sim.runUntilIdle();
    expect(sim.agent.ofType('open').map((event) => event.connector)).to.include('db');
    sim.agent.accept(cid);
    sim.runUntilIdle();
    expect(sim.hub.ofType('opened').map((event) => event.cid)).to.include(cid);
    return cid;
  }

  for (const sliceBytes of [Infinity, 1000, 7, 1]) {
    it(`carries bytes both ways and closes, sliced into pieces of ${sliceBytes}`, () => {
      const sim = new SimPair({ latencyMs: 20, sliceBytes });
      const cid = opened(sim);
      const up = randomBytes(Math.min(300_000, sliceBytes * 20_000));
      const down = randomBytes(Math.min(200_000, sliceBytes * 15_000));
      sim.hub.write(cid, up);
      sim.agent.write(cid, down);
      sim.hub.session.finish(cid);
      sim.agent.session.finish(cid);
      sim.runUntilIdle();
      expect(Buffer.compare(sim.agent.bytesOf(cid), up)).to.equal(0);
      expect(Buffer.compare(sim.hub.bytesOf(cid), down)).to.equal(0);
      for (const side of [sim.hub, sim.agent]) {
        expect(side.ofType('finished')).to.have.length(1);
        expect(side.ofType('closed')).to.have.length(1);
        expect(side.session.streamCount).to.equal(0);
        expect(side.session.heldBytes).to.equal(0);
        expect(side.ofType('reset')).to.deep.equal([]);
      }
    });
  }

  it('stops at the window when the peer does not consume', () => {
    const sim = new SimPair({ autoConsume: false });
    const cid = opened(sim);
    sim.hub.write(cid, randomBytes(300_000));
    sim.runUntilIdle();
    expect(sim.agent.bytesOf(cid).length).to.equal(WINDOW);
    sim.agent.consume(cid, 20_000);
    sim.runUntilIdle();
    expect(sim.agent.bytesOf(cid).length).to.equal(WINDOW + 20_000);
  });

  it('resets a stream at the other side, with its reason', () => {
    const sim = new SimPair();
    const cid = opened(sim);
    sim.agent.session.reset(cid, 'reset_by_target');
    sim.runUntilIdle();
    expect(sim.hub.resets()).to.deep.equal([{ cid, reason: 'reset_by_target' }]);
    expect(sim.agent.session.streamCount + sim.hub.session.streamCount).to.equal(0);
  });

  it('ends when the peer is silent for the whole timeout', () => {
    const sim = new SimPair();
    const cid = opened(sim);
    sim.hub.session.handleTimeout(10_000);
    sim.hub.session.handleTimeout(20_000);
    sim.hub.session.handleTimeout(25_100);
    sim.hub.takeEvents();
    expect(sim.hub.resets()).to.deep.equal([{ cid, reason: 'tunnel_lost' }]);
    expect(sim.hub.ofType('linkDead')).to.have.length(1);
  });
});
