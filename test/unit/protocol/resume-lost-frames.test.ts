/** Each frame that may go down with a link, and what a resume makes of it. */
import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { CutPair } from '../../support/cut-pair.js';
import { SimPair, WINDOW, type SimOptions, type SimSide } from '../../support/sim-pair.js';

const GRACE = { resumeGraceMs: 60_000 };

function pairOf(options: SimOptions = {}): SimPair {
  return new SimPair({
    ...options,
    hub: { ...GRACE, ...options.hub },
    agent: { ...GRACE, ...options.agent },
  });
}

/** Sends what is due, and loses it together with the link. */
function loseInFlight(sim: SimPair): void {
  sim.latencyMs = 10;
  while (sim.step());
  sim.cut();
  sim.latencyMs = 0;
}

function resume(sim: SimPair): void {
  sim.advance(50);
  sim.reconnect();
  sim.runUntilIdle();
  for (const side of sim.sides) expect(side.ofType('resumed').length).to.be.at.least(1);
}

/** Both sides end their direction, and then nothing of the stream is left. */
function finishBoth(sim: SimPair, cid: number): void {
  for (const side of sim.sides) side.finish(cid);
  sim.runUntilIdle();
  for (const side of sim.sides) side.consume(cid, Infinity);
  sim.runUntilIdle();
  for (const side of sim.sides) expect(happened(side, cid).slice(-2)).to.deep.equal(['finished', 'closed']);
  expectNothingLeft(sim);
}

function expectNothingLeft(sim: SimPair): void {
  for (const { session } of sim.sides) {
    expect([session.ended, session.streamCount, session.held]).to.deep.equal([
      false,
      0,
      { send: 0, receive: 0 },
    ]);
  }
}

/** What one side was told of a stream, in order. */
function happened(side: SimSide, cid: number): string[] {
  return side.events
    .filter((event) => 'cid' in event && event.cid === cid && event.type !== 'writable')
    .map((event) => event.type);
}

describe('a resume', () => {
  it('brings an OPEN that was lost, and the data behind it', () => {
    const sim = pairOf();
    const known = sim.openAccepted();
    const cid = sim.hub.open('late');
    const bytes = randomBytes(5000);
    sim.hub.write(cid, bytes);
    loseInFlight(sim);
    resume(sim);
    expect(sim.agent.ofType('open').map((event) => event.connector)).to.deep.equal(['db', 'late']);
    expect(sim.agent.bytesOf(cid)).to.deep.equal(bytes);
    sim.agent.accept(cid);
    sim.runUntilIdle();
    for (const side of sim.sides) for (const one of [known, cid]) side.finish(one);
    sim.runUntilIdle();
    expectNothingLeft(sim);
  });

  it('brings several OPENs that were lost, in their order', () => {
    const sim = pairOf();
    const cids = ['one', 'two', 'three'].map((name) => sim.hub.open(name));
    loseInFlight(sim);
    sim.hub.reset(cids[1]!, 'reset_by_client');
    resume(sim);
    expect(sim.agent.ofType('open').map((event) => event.connector)).to.deep.equal(['one', 'three']);
    expect(sim.agent.session.counters.rstReceived).to.equal(0);
  });

  it('says what OPENED would have said', () => {
    const sim = pairOf();
    const cid = sim.hub.open('db');
    sim.runUntilIdle();
    sim.agent.accept(cid);
    sim.agent.write(cid, randomBytes(100));
    loseInFlight(sim);
    expect(happened(sim.hub, cid)).to.deep.equal([]);
    resume(sim);
    expect(happened(sim.hub, cid)).to.deep.equal(['opened', 'data']);
    finishBoth(sim, cid);
  });

  it('takes an answer that was given while there was no link', () => {
    const sim = pairOf();
    const cid = sim.hub.open('db');
    sim.runUntilIdle();
    sim.cut();
    sim.agent.accept(cid);
    resume(sim);
    expect(happened(sim.hub, cid)).to.deep.equal(['opened']);
    finishBoth(sim, cid);
  });

  it('takes an answer that was given while the tables were under way', () => {
    const sim = pairOf();
    const cid = sim.hub.open('db');
    sim.runUntilIdle();
    sim.cut();
    sim.reconnect();
    sim.agent.accept(cid);
    sim.runUntilIdle();
    expect(happened(sim.hub, cid)).to.deep.equal(['opened']);
    finishBoth(sim, cid);
  });

  it('goes on in the middle of a DATA frame, with exactly the bytes that are missing', () => {
    for (const from of ['hub', 'agent'] as const) {
      const pair = new CutPair({ cuts: [{ from, at: 5000 }] });
      const cid = pair.openAccepted();
      const bytes = randomBytes(30_000);
      pair[from].write(cid, bytes);
      pair.runUntilIdle();
      const to = from === 'hub' ? pair.agent : pair.hub;
      const arrived = to.bytesOf(cid).length;
      expect(arrived).to.be.within(4800, 4999);
      pair.run();
      expect(pair.cutsFired).to.equal(1);
      expect(to.bytesOf(cid)).to.deep.equal(bytes);
      expect(pair[from].session.counters.replayedBytes).to.equal(30_000 - arrived);
      finishBoth(pair, cid);
    }
  });

  it('brings a FIN that was lost, alone or behind its data', () => {
    for (const length of [0, 100]) {
      const sim = pairOf();
      const cid = sim.openAccepted();
      sim.hub.write(cid, randomBytes(length));
      sim.hub.finish(cid);
      loseInFlight(sim);
      expect(happened(sim.agent, cid)).to.deep.equal(['open']);
      resume(sim);
      expect(happened(sim.agent, cid).slice(-1)).to.deep.equal(['finished']);
      expect(sim.agent.bytesOf(cid).length).to.equal(length);
      sim.agent.finish(cid);
      sim.runUntilIdle();
      expectNothingLeft(sim);
    }
  });

  it('does not repeat a FIN that had arrived', () => {
    const sim = pairOf({ autoConsume: false });
    const cid = sim.openAccepted();
    sim.hub.write(cid, randomBytes(100));
    sim.hub.finish(cid);
    sim.runUntilIdle();
    sim.cut();
    resume(sim);
    expect(sim.hub.session.counters).to.include({ finSent: 1, replayedBytes: 0 });
    sim.agent.finish(cid);
    sim.agent.consume(cid, 101);
    sim.runUntilIdle();
    sim.hub.consume(cid, 1);
    sim.runUntilIdle();
    expect(happened(sim.hub, cid)).to.deep.equal(['opened', 'finished', 'closed']);
    expectNothingLeft(sim);
  });

  it('says what CREDIT would have said: a sender at its limit goes on', () => {
    const sim = pairOf({ autoConsume: false });
    const cid = sim.openAccepted();
    const bytes = randomBytes(2 * WINDOW);
    sim.hub.write(cid, bytes);
    sim.runUntilIdle();
    expect(sim.agent.unconsumed(cid)).to.equal(WINDOW);
    sim.agent.consume(cid, WINDOW);
    loseInFlight(sim);
    resume(sim);
    expect(sim.agent.bytesOf(cid)).to.deep.equal(bytes);
    expect(sim.hub.session.held.send).to.equal(WINDOW);
    sim.agent.consume(cid, WINDOW);
    sim.runUntilIdle();
    expect(sim.hub.session.held.send).to.equal(0);
  });

  it('takes what was consumed while there was no link', () => {
    const sim = pairOf({ autoConsume: false });
    const cid = sim.openAccepted();
    sim.hub.write(cid, randomBytes(1000));
    sim.runUntilIdle();
    sim.cut();
    sim.agent.consume(cid, 1000);
    expect(sim.hub.session.held.send).to.equal(1000);
    resume(sim);
    expect(sim.hub.session.held.send).to.equal(0);
    finishBoth(sim, cid);
  });

  it('announces anew what it was about to announce when the link was lost', () => {
    const sim = pairOf({ autoConsume: false });
    const cid = sim.openAccepted();
    sim.hub.write(cid, randomBytes(50_000));
    sim.runUntilIdle();
    // Enough for a CREDIT at once, which waits for the link, and then for the delayed one.
    sim.agent.consume(cid, 30_000);
    sim.cut();
    sim.agent.consume(cid, 10);
    resume(sim);
    expect(sim.hub.session.held.send).to.equal(19_990);
    sim.agent.consume(cid, 19_990);
    sim.runUntilIdle();
    expect(sim.hub.session.held.send).to.equal(0);
    finishBoth(sim, cid);
  });

  it('closes a stream whose last CREDIT was lost: one side had closed it', () => {
    const sim = pairOf({ autoConsume: false });
    const cid = sim.openAccepted();
    sim.hub.finish(cid);
    sim.agent.finish(cid);
    sim.runUntilIdle();
    sim.hub.consume(cid, 1);
    sim.runUntilIdle();
    // The hub has said everything, the agent's CREDIT ends the stream on the agent's side when it is sent.
    sim.agent.consume(cid, 1);
    loseInFlight(sim);
    expect([sim.hub.session.streamCount, sim.agent.session.streamCount]).to.deep.equal([1, 0]);
    resume(sim);
    for (const side of sim.sides) expect(happened(side, cid).slice(-2)).to.deep.equal(['finished', 'closed']);
    expectNothingLeft(sim);
  });

  it('tells of an RST that was lost, either way, and neither side answers it', () => {
    for (const from of ['hub', 'agent'] as const) {
      const sim = pairOf();
      const cid = sim.openAccepted();
      const other = sim.openAccepted();
      const [side, far] = from === 'hub' ? [sim.hub, sim.agent] : [sim.agent, sim.hub];
      side.reset(cid, 'idle_timeout');
      loseInFlight(sim);
      expect(far.resets()).to.deep.equal([]);
      resume(sim);
      expect(far.resets()).to.deep.equal([{ cid, reason: 'idle_timeout' }]);
      expect(far.ofType('reset')[0]).to.include({ by: 'peer', beforeOpened: false });
      expect(far.session.counters.rstSent).to.equal(0);
      expect(side.resets()).to.deep.equal([]);
      finishBoth(sim, other);
    }
  });

  it('tells of a reset that happened while there was no link', () => {
    const sim = pairOf();
    const [first, second] = [sim.openAccepted(), sim.openAccepted()];
    sim.hub.write(second, randomBytes(500));
    sim.cut();
    sim.agent.reset(first, 'reset_by_target');
    sim.hub.reset(second, 'reset_by_client');
    resume(sim);
    expect(sim.hub.resets()).to.deep.equal([{ cid: first, reason: 'reset_by_target' }]);
    expect(sim.agent.resets()).to.deep.equal([{ cid: second, reason: 'reset_by_client' }]);
    expect(sim.agent.bytesOf(second)).to.have.length(0);
    expectNothingLeft(sim);
  });

  it('tells nobody of a stream that both sides reset while there was no link', () => {
    const sim = pairOf();
    const cid = sim.openAccepted();
    sim.cut();
    for (const side of sim.sides) side.reset(cid, 'idle_timeout');
    resume(sim);
    for (const side of sim.sides) expect(side.resets()).to.deep.equal([]);
    expectNothingLeft(sim);
  });

  it('tells of a reset that happens while the tables are under way', () => {
    const sim = pairOf();
    const [first, second] = [sim.openAccepted(), sim.openAccepted()];
    sim.hub.write(second, randomBytes(500));
    sim.cut();
    sim.reconnect();
    sim.agent.reset(first, 'reset_by_target');
    sim.hub.reset(second, 'reset_by_client');
    sim.runUntilIdle();
    expect(sim.hub.resets()).to.deep.equal([{ cid: first, reason: 'reset_by_target' }]);
    expect(sim.agent.resets()).to.deep.equal([{ cid: second, reason: 'reset_by_client' }]);
    expectNothingLeft(sim);
  });

  it('does not mention a stream that was reset before the peer ever heard of it', () => {
    for (const when of ['without a link', 'while the tables are under way']) {
      const sim = pairOf();
      const cid = sim.hub.open('db');
      loseInFlight(sim);
      if (when === 'without a link') sim.hub.reset(cid, 'reset_by_client');
      sim.reconnect();
      sim.hub.reset(cid, 'reset_by_client');
      sim.runUntilIdle();
      expect(sim.agent.ofType('open')).to.deep.equal([]);
      expect(sim.agent.session.counters).to.include({ rstReceived: 0, lateFrames: 0 });
      finishBoth(sim, sim.openAccepted());
      expectNothingLeft(sim);
    }
  });

  it('brings a refusal that was lost: nothing has reached a target', () => {
    const sim = pairOf();
    const refused = sim.hub.open('db');
    sim.hub.write(refused, randomBytes(100));
    sim.runUntilIdle();
    sim.agent.reset(refused, 'connect_refused');
    loseInFlight(sim);
    resume(sim);
    const [reset] = sim.hub.ofType('reset');
    expect(reset).to.include({ cid: refused, reason: 'connect_refused', beforeOpened: true });
    expect(happened(sim.hub, refused)).to.deep.equal(['reset']);
    expectNothingLeft(sim);
  });

  it("brings the session's own refusal that was lost", () => {
    const sim = pairOf({ hub: { acceptsOpens: false } });
    const cid = sim.agent.open('db');
    sim.pause(sim.hub);
    sim.runUntilIdle();
    expect(sim.hub.session.counters.rstSent).to.equal(1);
    sim.cut();
    sim.pause(sim.hub, false);
    resume(sim);
    expect(sim.agent.resets()).to.deep.equal([{ cid, reason: 'denied' }]);
    expectNothingLeft(sim);
  });

  it('tells OPENED and then the reset when both were lost: something may have reached a target', () => {
    for (const when of ['before the loss', 'without a link']) {
      const sim = pairOf();
      const cid = sim.hub.open('db');
      sim.hub.write(cid, randomBytes(100));
      sim.runUntilIdle();
      if (when === 'without a link') sim.cut();
      sim.agent.accept(cid);
      sim.agent.reset(cid, 'draining');
      if (when === 'before the loss') loseInFlight(sim);
      resume(sim);
      expect(happened(sim.hub, cid)).to.deep.equal(['opened', 'reset']);
      expect(sim.hub.ofType('reset')[0]).to.include({ reason: 'draining', beforeOpened: false });
    }
  });
});
