import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { FrameType } from '../../../protocol/index.js';
import { LoneSession } from '../../support/lone-session.js';
import { SimPair, WINDOW } from '../../support/sim-pair.js';

describe('a session', () => {
  for (const sliceBytes of [Infinity, 1000, 7, 1]) {
    it(`carries bytes both ways and closes, sliced into pieces of ${sliceBytes}`, () => {
      const sim = new SimPair({ latencyMs: 20, sliceBytes });
      const cid = sim.openAccepted();
      const up = randomBytes(Math.min(300_000, sliceBytes * 5000));
      const down = randomBytes(Math.min(200_000, sliceBytes * 4000));
      sim.hub.write(cid, up);
      sim.agent.write(cid, down);
      sim.hub.finish(cid);
      sim.agent.finish(cid);
      sim.runUntilIdle();
      expect(Buffer.compare(sim.agent.bytesOf(cid), up)).to.equal(0);
      expect(Buffer.compare(sim.hub.bytesOf(cid), down)).to.equal(0);
      for (const side of sim.sides) {
        expect(side.ofType('finished')).to.have.length(1);
        expect(side.ofType('closed')).to.have.length(1);
        expect(side.session.streamCount).to.equal(0);
        expect(side.session.heldBytes).to.equal(0);
        expect(side.session.counters).to.include({
          finSent: 1,
          finReceived: 1,
          rstSent: 0,
          rstReceived: 0,
          lateFrames: 0,
        });
        expect(side.ofType('reset')).to.deep.equal([]);
      }
    });
  }

  it('tells the agent which connector and which client', () => {
    const sim = new SimPair();
    sim.hub.session.open('erp-db', '10.0.0.7:51234', sim.now);
    sim.runUntilIdle();
    expect(sim.agent.ofType('open')).to.deep.equal([
      { type: 'open', cid: 2, connector: 'erp-db', client: '10.0.0.7:51234' },
    ]);
  });

  it('carries what the client says before the answer', () => {
    const sim = new SimPair();
    const cid = sim.hub.open('db');
    const early = randomBytes(WINDOW + 5000);
    sim.hub.write(cid, early);
    sim.hub.finish(cid);
    sim.runUntilIdle();
    expect(sim.hub.ofType('opened')).to.deep.equal([]);
    expect(sim.agent.bytesOf(cid).length).to.be.at.least(WINDOW);
    sim.agent.accept(cid);
    sim.runUntilIdle();
    expect(Buffer.compare(sim.agent.bytesOf(cid), early)).to.equal(0);
  });

  it('gives a half-closed client its whole answer', () => {
    const sim = new SimPair({ latencyMs: 5 });
    const cid = sim.openAccepted();
    sim.hub.finish(cid);
    sim.runUntilIdle();
    const answer = randomBytes(3_000_000);
    for (let at = 0; at < answer.length; at += 60_000) {
      sim.agent.write(cid, answer.subarray(at, at + 60_000));
      sim.runUntilIdle();
    }
    expect(sim.hub.session.streamCount).to.equal(1);
    sim.agent.finish(cid);
    sim.runUntilIdle();
    expect(Buffer.compare(sim.hub.bytesOf(cid), answer)).to.equal(0);
    expect(sim.hub.ofType('closed')).to.have.length(1);
  });

  it('stops at the window when the peer does not consume', () => {
    const sim = new SimPair({ autoConsume: false });
    const cid = sim.openAccepted();
    sim.hub.write(cid, randomBytes(300_000));
    sim.runUntilIdle();
    expect(sim.agent.bytesOf(cid).length).to.equal(WINDOW);
    sim.agent.consume(cid, 20_000);
    sim.runUntilIdle();
    expect(sim.agent.bytesOf(cid).length).to.equal(WINDOW + 20_000);
    // A little progress is told too, only later.
    sim.agent.consume(cid, 1);
    sim.runUntilIdle();
    expect(sim.agent.bytesOf(cid).length).to.equal(WINDOW + 20_001);
  });

  it('does not let a stream that nobody reads hold up another one', () => {
    const sim = new SimPair({ autoConsume: false });
    const [stuck, live] = [sim.openAccepted(), sim.openAccepted()];
    sim.hub.write(stuck, randomBytes(10 * WINDOW));
    const bytes = randomBytes(5 * WINDOW);
    sim.hub.write(live, bytes);
    while (sim.agent.bytesOf(live).length < bytes.length) {
      sim.runUntilIdle();
      expect(sim.agent.consume(live, Infinity)).to.be.above(0);
    }
    expect(Buffer.compare(sim.agent.bytesOf(live), bytes)).to.equal(0);
    expect(sim.agent.bytesOf(stuck).length).to.equal(WINDOW);
  });

  it('grows the window of a stream that is limited by it', () => {
    const side = { maxWindowBytes: 8 * WINDOW };
    const sim = new SimPair({ latencyMs: 50, hub: side, agent: side });
    const cid = sim.openAccepted();
    sim.hub.write(cid, randomBytes(100 * WINDOW));
    let [last, most] = [0, 0];
    for (let round = 0; round < 30; round++) {
      for (let ms = 0; ms < 100; ms++) {
        while (sim.step());
        sim.advance(1);
      }
      const now = sim.agent.bytesOf(cid).length;
      most = Math.max(most, now - last);
      last = now;
    }
    expect(most).to.be.above(7 * WINDOW);
    expect(most).to.be.at.most(8.5 * WINDOW);
  });

  describe('with bulk on a path of 50 ms', () => {
    const LARGE = 64 * WINDOW;

    /** Streams with more to send than the path takes, in chunks; the windows are no bound. */
    function bulk(
      streams: number,
      paced: boolean,
    ): { sim: SimPair; cids: number[]; small: number; underWay: () => number } {
      const limits = { windowBytes: LARGE, maxStreams: 100, maxPayload: 65_536 };
      const side = { windowBytes: LARGE, maxWindowBytes: LARGE, limits, paced };
      const sim = new SimPair({ latencyMs: 25, hub: side, agent: side });
      const small = sim.openAccepted();
      const cids = Array.from({ length: streams }, () => sim.openAccepted());
      for (const cid of cids) for (let n = 0; n < 32; n++) sim.hub.write(cid, randomBytes(WINDOW));
      const arrived = (): number => cids.reduce((sum, cid) => sum + sim.agent.bytesOf(cid).length, 0);
      return { sim, cids, small, underWay: () => sim.linkBytes - arrived() };
    }

    it('hands over 128 KiB before it knows what has arrived, and everything to a peer that is not paced', () => {
      for (const [paced, most] of [
        [true, 132_000],
        [false, Infinity],
      ] as const) {
        const { sim, underWay } = bulk(4, paced);
        while (sim.step());
        expect(underWay(), `paced: ${paced}`).to.be.within(131_072, most);
        if (!paced) expect(underWay()).to.be.above(100 * WINDOW);
        sim.runUntilIdle();
      }
    });

    it('lets a small message pass what is held back', () => {
      const { sim, cids, small } = bulk(2, true);
      while (sim.step());
      const before = sim.now;
      sim.hub.write(small, randomBytes(10));
      while (sim.agent.bytesOf(small).length === 0) {
        while (sim.step());
        sim.advance(1);
      }
      expect(sim.now - before).to.be.at.most(26);
      expect(sim.agent.bytesOf(cids[0]!).length).to.be.below(32 * WINDOW);
    });

    it('carries all of it, in turns', () => {
      const { sim, cids } = bulk(4, true);
      while (sim.agent.bytesOf(cids[0]!).length < 16 * WINDOW) {
        while (sim.step());
        sim.advance(1);
      }
      const shares = cids.map((cid) => sim.agent.bytesOf(cid).length);
      expect(Math.min(...shares) / Math.max(...shares)).to.be.above(0.85);
      sim.runUntilIdle();
      for (const cid of cids) expect(sim.agent.bytesOf(cid).length).to.equal(32 * WINDOW);
    });
  });

  it('asks the owner to pause without room, and wakes it when there is some', () => {
    const sim = new SimPair({ autoConsume: false });
    const cid = sim.openAccepted();
    expect(sim.hub.session.budget(cid)).to.equal(WINDOW);
    sim.hub.write(cid, randomBytes(WINDOW));
    expect(sim.hub.session.budget(cid)).to.equal(0);
    sim.runUntilIdle();
    expect(sim.hub.ofType('writable')).to.deep.equal([]);
    sim.agent.consume(cid, WINDOW / 2);
    sim.runUntilIdle();
    expect(sim.hub.ofType('writable')).to.deep.equal([{ type: 'writable', cid }]);
    expect(sim.hub.session.budget(cid)).to.equal(WINDOW / 2);
    expect(sim.hub.session.budget(999)).to.equal(0);
  });

  it('measures the path of a new link four times at most, the PING at its start included, one after the other', () => {
    const lone = new LoneSession('agent', { resumeGraceMs: 60_000 });
    const pings = (): Uint8Array[] =>
      lone.sent().flatMap((frame) => (frame.type === FrameType.Ping ? [frame.nonce] : []));
    let measured = 0;
    for (let round = 0; round < 8; round++) {
      lone.session.measurePath(lone.now);
      lone.session.measurePath(lone.now);
      const nonces = pings();
      expect(nonces.length, 'one is awaited').to.be.at.most(1);
      measured += nonces.length;
      lone.advance(20);
      for (const nonce of nonces) lone.receive({ type: FrameType.Pong, nonce });
    }
    expect(measured).to.equal(4);
    lone.session.linkLost('cut', lone.now);
    lone.session.measurePath(lone.now);
    expect(pings(), 'nobody is there').to.deep.equal([]);
  });

  it('wakes an owner that only asked, and never wrote', () => {
    const lone = new LoneSession('agent');
    lone.receive({ type: FrameType.Open, cid: 2, connector: 'db', client: '', window: 0 });
    lone.session.accept(2, 0);
    expect(lone.session.budget(2)).to.equal(0);
    lone.receive({ type: FrameType.Credit, cid: 2, consumed: 0, limit: 10 });
    expect(lone.ofType('writable')).to.deep.equal([{ type: 'writable', cid: 2 }]);
    lone.receive({ type: FrameType.Credit, cid: 2, consumed: 0, limit: 20 });
    expect(lone.ofType('writable')).to.have.length(1);
  });

  it('does not wake an owner that has finished', () => {
    const sim = new SimPair({ autoConsume: false });
    const cid = sim.openAccepted();
    sim.hub.write(cid, randomBytes(2 * WINDOW));
    sim.hub.finish(cid);
    sim.runUntilIdle();
    sim.agent.consume(cid, WINDOW);
    sim.runUntilIdle();
    expect(sim.hub.ofType('writable')).to.deep.equal([]);
  });

  it('resets a stream at the other side, with its reason', () => {
    const sim = new SimPair();
    const cid = sim.openAccepted();
    sim.agent.reset(cid, 'reset_by_target');
    sim.runUntilIdle();
    expect(sim.hub.ofType('reset')).to.deep.equal([
      { type: 'reset', cid, reason: 'reset_by_target', by: 'peer', beforeOpened: false, unacknowledged: [] },
    ]);
    expect(sim.agent.ofType('reset')).to.deep.equal([]);
    expect(sim.agent.session.streamCount + sim.hub.session.streamCount).to.equal(0);
    expect(sim.agent.session.counters.rstSent + sim.hub.session.counters.rstReceived).to.equal(2);
  });

  it('gives back what was written when the stream was refused before it was open', () => {
    const sim = new SimPair({ autoConsume: false });
    const cid = sim.hub.open('db');
    const early = randomBytes(WINDOW + 10_000);
    sim.hub.write(cid, early);
    sim.runUntilIdle();
    sim.agent.reset(cid, 'connect_refused');
    sim.runUntilIdle();
    const [reset] = sim.hub.ofType('reset');
    expect(reset).to.include({ reason: 'connect_refused', beforeOpened: true });
    expect(Buffer.compare(Buffer.concat(reset?.unacknowledged ?? []), early)).to.equal(0);
    for (const { session } of sim.sides) expect(session.heldBytes).to.equal(0);
  });

  it('ignores commands for a stream that is over', () => {
    const sim = new SimPair();
    const cid = sim.openAccepted();
    sim.agent.reset(cid, 'internal');
    for (const side of sim.sides) {
      side.accept(cid);
      side.write(cid, randomBytes(10));
      side.finish(cid);
      side.session.consumed(cid, 5, sim.now);
      sim.runUntilIdle();
      side.reset(cid, 'internal');
    }
    sim.runUntilIdle();
    for (const { session } of sim.sides) expect([session.heldBytes, session.ended]).to.deep.equal([0, false]);
  });

  it('ignores a second accept, a second finish and the consumption of nothing', () => {
    const sim = new SimPair();
    const cid = sim.openAccepted();
    sim.agent.accept(cid);
    sim.hub.accept(cid);
    sim.hub.finish(cid);
    sim.hub.finish(cid);
    sim.hub.session.consumed(cid, 0, sim.now);
    sim.runUntilIdle();
    expect(sim.agent.ofType('finished')).to.have.length(1);
    expect(sim.agent.resets()).to.deep.equal([]);
  });

  it('throws at an owner that writes or finishes before it accepted, or writes after it finished', () => {
    const sim = new SimPair();
    const cid = sim.hub.open('db');
    sim.runUntilIdle();
    expect(() => sim.agent.write(cid, randomBytes(1))).to.throw(Error, 'offered');
    expect(() => sim.agent.finish(cid)).to.throw(Error, 'not accepted');
    sim.hub.finish(cid);
    expect(() => sim.hub.write(cid, randomBytes(1))).to.throw(Error, 'finished');
  });

  it('takes an empty write for nothing', () => {
    const sim = new SimPair();
    const cid = sim.openAccepted();
    sim.hub.write(cid, new Uint8Array(0));
    sim.hub.finish(cid);
    sim.runUntilIdle();
    expect(sim.agent.bytesOf(cid)).to.have.length(0);
    expect(sim.agent.ofType('finished')).to.have.length(1);
  });

  it('measures the round trip, smoothly', () => {
    const sim = new SimPair({ latencyMs: 30 });
    expect(sim.hub.session.roundTripMs).to.be.above(60);
    sim.runUntilIdle();
    expect(sim.hub.ofType('roundTrip')).to.deep.equal([{ type: 'roundTrip', ms: 60 }]);
    expect(sim.hub.session.roundTripMs).to.equal(60);
    sim.latencyMs = 110;
    sim.advance(10_000);
    sim.runUntilIdle();
    expect(sim.hub.ofType('roundTrip')[1]?.ms).to.equal(220);
    expect(sim.hub.session.roundTripMs).to.equal(60 + (220 - 60) / 8);
  });

  it('carries a fresh token to the hub', () => {
    const sim = new SimPair();
    sim.agent.session.reauthenticate('a.b.c');
    sim.runUntilIdle();
    expect(sim.hub.ofType('reauth')).to.deep.equal([{ type: 'reauth', token: 'a.b.c' }]);
    sim.agent.session.reauthenticate('x'.repeat(16_384));
    sim.runUntilIdle();
    expect(sim.hub.ofType('reauth')[1]?.token).to.have.length(16_384);
  });
});
