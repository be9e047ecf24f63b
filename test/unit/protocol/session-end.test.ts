import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { CloseCode, FrameType, encodeFrame } from '../../../protocol/index.js';
import { LINK_BROKE } from '../../../protocol/wire/constants.js';
import type { Frame } from '../../../protocol/wire/frame.js';
import { LoneSession } from '../../support/lone-session.js';
import { SimPair } from '../../support/sim-pair.js';

const OPEN: Frame = { type: FrameType.Open, cid: 2, connector: 'db', client: '', window: 1000 };
const UNKNOWN = Uint8Array.of(0, 0, 0, 0x63, 0, 0, 0, 0, 0);

describe('the end of a session', () => {
  it('comes after everything that was decoded before the fault', () => {
    const lone = new LoneSession('agent');
    const data: Frame = { type: FrameType.Data, cid: 2, seq: 0, payload: randomBytes(100) };
    const fin: Frame = { type: FrameType.Fin, cid: 2, seq: 100 };
    lone.receiveBytes(
      Buffer.concat([...[OPEN, data, fin].map((frame) => encodeFrame(frame)), UNKNOWN, encodeFrame(OPEN)]),
    );
    expect(lone.events.map(({ type }) => type)).to.deep.equal(['open', 'data', 'finished', 'reset', 'ended']);
    expect(lone.events.at(-1)).to.include({ code: CloseCode.Protocol, by: 'us' });
  });

  it('resets every stream, with the bytes that were not acknowledged, and frees them', () => {
    const sim = new SimPair({ autoConsume: false });
    const cids = [sim.openAccepted(), sim.openAccepted(), sim.hub.open('db')];
    for (const cid of cids) sim.hub.write(cid, randomBytes(500));
    sim.hub.session.close(CloseCode.Replaced, 'a newer session');
    sim.hub.takeEvents();
    expect(
      sim.hub.ofType('reset').map(({ cid, reason, beforeOpened }) => [cid, reason, beforeOpened]),
    ).to.deep.equal([
      [2, 'tunnel_lost', false],
      [4, 'tunnel_lost', false],
      [6, 'tunnel_lost', true],
    ]);
    for (const { unacknowledged } of sim.hub.ofType('reset')) {
      expect(Buffer.concat(unacknowledged)).to.have.length(500);
    }
    expect([sim.hub.session.heldBytes, sim.hub.session.streamCount]).to.deep.equal([0, 0]);
    expect(sim.hub.events.at(-1)).to.deep.equal({
      type: 'ended',
      code: CloseCode.Replaced,
      message: 'a newer session',
      by: 'us',
    });
  });

  it('calls the streams of a drained session "draining"', () => {
    const sim = new SimPair();
    const cid = sim.openAccepted();
    sim.hub.session.close(CloseCode.Draining, 'shutting down');
    sim.agent.session.linkClosed(CloseCode.Draining, 'shutting down');
    for (const side of sim.sides) {
      side.takeEvents();
      expect(side.resets()).to.deep.equal([{ cid, reason: 'draining' }]);
    }
    expect(sim.agent.events.at(-1)).to.include({ code: CloseCode.Draining, by: 'peer' });
  });

  it('comes with the link when the session does not resume', () => {
    const sim = new SimPair();
    const cid = sim.openAccepted();
    sim.hub.session.linkLost('the connection broke', sim.now);
    sim.hub.takeEvents();
    expect(sim.hub.resets()).to.deep.equal([{ cid, reason: 'tunnel_lost' }]);
    expect(sim.hub.events.at(-1)).to.include({
      code: LINK_BROKE,
      by: 'peer',
      message: 'the connection broke',
    });
  });

  it('has the code with which the link ended, when that is none of ours', () => {
    const lone = new LoneSession('agent');
    lone.session.linkLost('going away', 0, 1001);
    expect(lone.endCode()).to.equal(1001);
  });

  it('comes once, and nothing happens after it', () => {
    const lone = new LoneSession('agent');
    lone.receive(OPEN);
    lone.session.close(CloseCode.Normal, 'over');
    const before = [...lone.ofType('ended'), ...lone.events].length;
    lone.session.close(CloseCode.Flooding, 'again');
    lone.session.linkLost('again', 0);
    lone.session.linkClosed(CloseCode.Replaced, 'again');
    lone.session.drain(CloseCode.Draining, 0);
    lone.session.reauthenticate('x');
    lone.session.accept(2, 0);
    lone.session.write(2, randomBytes(10));
    lone.session.consumed(2, 1, 0);
    lone.session.reset(2, 'internal');
    lone.receiveBytes(UNKNOWN);
    lone.session.receive(Uint8Array.of(1), 0);
    lone.session.receiveMessageEnd();
    lone.session.handleTimeout(1e9);
    expect(lone.session.open('db', '', 0)).to.equal('draining');
    expect(lone.sent()).to.deep.equal([]);
    expect([...lone.ofType('ended'), ...lone.events].length).to.equal(before);
    expect([lone.session.ended, lone.session.nextDeadline()]).to.deep.equal([true, Infinity]);
  });

  it("lets an error that is not the peer's through", () => {
    const lone = new LoneSession('agent');
    expect(() => lone.session.receive(undefined as unknown as Uint8Array, 0)).to.throw(TypeError);
  });
});

describe('a silent link', () => {
  it('is asked at each interval, and is dead after the timeout', () => {
    const lone = new LoneSession('hub');
    lone.sent();
    lone.advance(10_000);
    expect(lone.sent().map(({ type }) => type)).to.deep.equal([FrameType.Ping]);
    lone.advance(10_000);
    expect(lone.sent().map(({ type }) => type)).to.deep.equal([FrameType.Ping]);
    lone.advance(4_999);
    expect(lone.session.ended).to.equal(false);
    lone.advance(1);
    expect(lone.events.map(({ type }) => type)).to.deep.equal(['linkDead', 'ended']);
    expect(lone.events.at(-1)).to.have.property('message').that.contains('25000 ms');
  });

  it('lives while the peer says anything at all', () => {
    const lone = new LoneSession('hub');
    for (let n = 0; n < 20; n++) {
      lone.advance(20_000);
      lone.receiveBytes(encodeFrame({ type: FrameType.Pong, nonce: new Uint8Array(8) }));
    }
    expect(lone.endCode()).to.equal(undefined);
  });

  it('gets time after a stall of our own event loop', () => {
    const lone = new LoneSession('hub');
    lone.now = 60_000;
    lone.session.handleTimeout(lone.now);
    expect(lone.endCode()).to.equal(undefined);
    lone.now += 100;
    lone.receive({ type: FrameType.Pong, nonce: new Uint8Array(8) });
    lone.advance(9_000);
    expect(lone.endCode()).to.equal(undefined);
  });

  it('takes an old PONG for nothing', () => {
    const lone = new LoneSession('hub');
    const [first] = lone.sent();
    lone.advance(10_000);
    const [second] = lone.sent();
    if (first?.type !== FrameType.Ping || second?.type !== FrameType.Ping) throw new Error('no PING');
    lone.now += 70;
    // It proves that what was sent before the first one has arrived too.
    lone.receive({ type: FrameType.Pong, nonce: second.nonce });
    lone.now += 10;
    for (const { nonce } of [first, second]) lone.receive({ type: FrameType.Pong, nonce });
    expect(lone.ofType('roundTrip')).to.deep.equal([{ type: 'roundTrip', ms: 70 }]);
  });
});

describe('draining', () => {
  it('opens no more streams on either side, and lets the running ones end', () => {
    const sim = new SimPair();
    const cid = sim.openAccepted();
    expect([sim.hub.session.draining, sim.agent.session.draining]).to.deep.equal([false, false]);
    sim.agent.session.drain(CloseCode.Draining, 30_000);
    sim.agent.session.drain(CloseCode.Normal, 1);
    sim.runUntilIdle();
    expect(sim.hub.ofType('goaway')).to.deep.equal([{ type: 'goaway', code: 4503, graceMs: 30_000 }]);
    for (const { session } of sim.sides) {
      expect(session.draining).to.equal(true);
      expect(session.open('db', '', 0)).to.equal('draining');
    }
    const bytes = randomBytes(200_000);
    sim.hub.write(cid, bytes);
    sim.hub.finish(cid);
    sim.agent.finish(cid);
    sim.runUntilIdle();
    expect(Buffer.compare(sim.agent.bytesOf(cid), bytes)).to.equal(0);
    for (const side of sim.sides) expect(side.ofType('closed')).to.have.length(1);
  });
});
