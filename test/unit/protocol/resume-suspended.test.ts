/** A session without a link, and while it gets a new one: what waits, what goes on, and when it is over. */
import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { CloseCode, FrameType } from '../../../protocol/index.js';
import { LINK_BROKE } from '../../../protocol/wire/constants.js';
import type { Frame } from '../../../protocol/wire/frame.js';
import { CutPair } from '../../support/cut-pair.js';
import { LoneSession } from '../../support/lone-session.js';
import { SimPair } from '../../support/sim-pair.js';
import { decodeFrames } from '../../support/wire-frames.js';
import { bytesOf } from '../../support/transmit.js';

const GRACE_MS = 60_000;
const GRACE = { resumeGraceMs: GRACE_MS };
const BOTH = { hub: GRACE, agent: GRACE };

const OPEN: Frame = { type: FrameType.Open, cid: 2, connector: 'db', client: '', window: 1000 };

describe('a suspended session', () => {
  it('keeps its streams and what they hold, and takes writes up to the window', () => {
    const sim = new SimPair(BOTH);
    const cid = sim.openAccepted();
    sim.cut();
    sim.hub.write(cid, randomBytes(sim.hub.session.budget(cid)));
    expect(sim.hub.session.budget(cid)).to.be.at.most(0);
    expect([sim.hub.session.streamCount, sim.hub.session.held.send]).to.deep.equal([1, 65_536]);
    expect(sim.hub.events.slice(-1)).to.deep.equal([{ type: 'suspended', message: 'cut' }]);
    sim.advance(GRACE_MS - 1);
    sim.reconnect();
    sim.runUntilIdle();
    expect(sim.hub.ofType('resumed')).to.deep.equal([{ type: 'resumed', suspendedMs: GRACE_MS - 1 }]);
    expect(sim.hub.ofType('writable').map((event) => event.cid)).to.deep.equal([cid]);
    expect(sim.agent.bytesOf(cid)).to.have.length(65_536);
  });

  it('takes and gives nothing', () => {
    const lone = new LoneSession('agent', GRACE);
    lone.session.linkLost('gone', 0);
    lone.receive(OPEN);
    lone.receiveBytes(Uint8Array.of(1, 2, 3));
    lone.session.handleTimeout(GRACE_MS - 1);
    expect(lone.sent()).to.deep.equal([]);
    expect(lone.events.map(({ type }) => type)).to.deep.equal(['suspended']);
    expect([lone.session.suspended, lone.session.suspendedAtEnd]).to.deep.equal([true, false]);
  });

  it('opens no stream, nor while the tables are under way', () => {
    const sim = new SimPair(BOTH);
    sim.runUntilIdle();
    const open = () => sim.hub.session.open('db', '', sim.now);
    sim.cut();
    expect(open()).to.equal('no_agent');
    sim.reconnect();
    expect(open()).to.equal('no_agent');
    sim.runUntilIdle();
    expect(open()).to.equal(2);
  });

  it('is not resumed unless it is suspended', () => {
    const lone = new LoneSession('agent', GRACE);
    expect(() => lone.session.resume(0)).to.throw('only a suspended session can be resumed');
    lone.session.linkLost('gone', 0);
    lone.session.linkLost('gone again', 0);
    lone.session.resume(0);
    expect(() => lone.session.resume(0)).to.throw();
    expect(lone.ofType('suspended')).to.have.length(1);
  });

  it('resets every stream when nobody comes in time, and does not end them as if they were complete', () => {
    const sim = new SimPair(BOTH);
    const cids = [sim.openAccepted(), sim.openAccepted()];
    sim.hub.write(cids[0]!, randomBytes(1000));
    sim.hub.finish(cids[0]!);
    sim.cut();
    sim.advance(GRACE_MS - 1);
    for (const { session } of sim.sides) expect(session.ended).to.equal(false);
    sim.advance(1);
    for (const side of sim.sides) {
      expect(side.resets()).to.deep.equal(cids.map((cid) => ({ cid, reason: 'tunnel_lost' })));
      expect([side.ofType('finished'), side.ofType('closed')]).to.deep.equal([[], []]);
      expect(side.events.at(-1)).to.deep.equal({
        type: 'ended',
        code: LINK_BROKE,
        message: 'not resumed within 60000 ms',
        by: 'us',
      });
      expect([side.session.suspended, side.session.suspendedAtEnd]).to.deep.equal([false, true]);
      expect([side.session.streamCount, side.session.heldBytes]).to.deep.equal([0, 0]);
      expect(side.session.nextDeadline()).to.equal(Infinity);
    }
  });

  it('counts the grace from the loss of the last link that worked', () => {
    const sim = new SimPair(BOTH);
    sim.openAccepted();
    sim.cut();
    for (let n = 1; n < 6; n++) {
      sim.advance(10_000);
      sim.reconnect();
      sim.cut();
    }
    sim.advance(9999);
    sim.reconnect();
    for (const { session } of sim.sides) {
      expect([session.ended, session.nextDeadline()]).to.deep.equal([false, GRACE_MS]);
    }
    // It is over, although there is a link: the peer's table did not come.
    sim.advance(1);
    for (const side of sim.sides) {
      expect(side.endCode()).to.equal(CloseCode.Normal);
      expect(side.session.suspendedAtEnd).to.equal(false);
    }
  });

  it('begins a fresh grace after each resume that worked', () => {
    const sim = new SimPair(BOTH);
    const cid = sim.openAccepted();
    for (let n = 0; n < 5; n++) {
      sim.cut();
      sim.advance(GRACE_MS - 1);
      sim.reconnect();
      sim.runUntilIdle();
    }
    sim.hub.write(cid, randomBytes(10));
    sim.runUntilIdle();
    expect(sim.agent.bytesOf(cid)).to.have.length(10);
  });

  it('takes only what was never sent for untouched by a target when it ends', () => {
    for (const sent of [true, false]) {
      const sim = new SimPair({ ...BOTH, autoConsume: false });
      sim.runUntilIdle();
      const [silent, spoken, ended] = [sim.hub.open('db'), sim.hub.open('db'), sim.hub.open('db')];
      sim.hub.write(spoken, randomBytes(100));
      sim.hub.finish(ended);
      if (sent) sim.runUntilIdle();
      sim.cut();
      sim.advance(GRACE_MS);
      const told = sim.hub
        .ofType('reset')
        .map(({ cid, beforeOpened, unacknowledged }) => [
          cid,
          beforeOpened,
          Buffer.concat(unacknowledged).length,
        ]);
      expect(told).to.deep.equal([
        [silent, true, 0],
        [spoken, !sent, 100],
        [ended, !sent, 0],
      ]);
    }
  });
});

describe('the exchange of tables', () => {
  it('begins again when it is cut, on either side and at any byte of it', () => {
    // One row for the stream, and one for the end.
    const tableBytes = 2 * 34;
    for (const from of ['hub', 'agent'] as const) {
      for (let at = 0; at <= tableBytes; at++) {
        const cuts = [
          { from, at: 3000 },
          { from: 'hub', at },
          { from: 'agent', at },
        ] as const;
        const pair = new CutPair({ cuts });
        const cid = pair.openAccepted();
        const bytes = randomBytes(10_000);
        pair[from].write(cid, bytes);
        pair.run();
        for (const side of pair.sides) side.finish(cid);
        pair.run();
        expect(pair.cutsFired, `${from} ${at}`).to.equal(3);
        expect((from === 'hub' ? pair.agent : pair.hub).bytesOf(cid)).to.deep.equal(bytes);
        for (const side of pair.sides) {
          expect(side.events.filter(({ type }) => type === 'finished' || type === 'closed')).to.deep.equal([
            { type: 'finished', cid },
            { type: 'closed', cid },
          ]);
          expect([side.session.streamCount, side.session.heldBytes]).to.deep.equal([0, 0]);
        }
      }
    }
  });

  it('may be complete for one side and not for the other when the link is lost', () => {
    const sim = new SimPair(BOTH);
    const cid = sim.openAccepted();
    sim.cut();
    sim.reconnect();
    // The agent gets the hub's table, the hub gets nothing.
    sim.pause(sim.agent);
    sim.runUntilIdle();
    expect([sim.hub.ofType('resumed').length, sim.agent.ofType('resumed').length]).to.deep.equal([0, 1]);
    sim.agent.write(cid, randomBytes(100));
    sim.cut();
    sim.pause(sim.agent, false);
    sim.reconnect();
    sim.runUntilIdle();
    expect(sim.hub.bytesOf(cid)).to.have.length(100);
  });

  it('takes as many messages as it needs', () => {
    const messages: Uint8Array[] = [];
    const sim = new SimPair({ ...BOTH, onMessage: (from, bytes) => from === 'hub' && messages.push(bytes) });
    const cids = Array.from({ length: 900 }, () => sim.hub.open('db'));
    sim.runUntilIdle();
    sim.cut();
    messages.length = 0;
    sim.reconnect();
    sim.runUntilIdle();
    const rows = messages.map((bytes) => decodeFrames([bytes]).filter(({ type }) => type === FrameType.Sync));
    expect(rows.map(({ length }) => length).filter((length) => length > 0)).to.deep.equal([400, 400, 101]);
    expect(rows.flat().map((row) => 'cid' in row && row.cid)).to.deep.equal([...cids, 0]);
  });

  it('ends in silence when the peer does, and the session waits for another link', () => {
    const sim = new SimPair(BOTH);
    sim.openAccepted();
    sim.cut();
    sim.reconnect();
    sim.pause(sim.agent);
    sim.runUntilIdle();
    // No PING before the tables are through.
    for (let n = 0; n < 24; n++) sim.advance(1000);
    expect(sim.hub.session.suspended).to.equal(false);
    sim.step();
    expect(sim.hub.session.pollTransmit(sim.now)).to.equal(undefined);
    sim.advance(1000);
    expect(sim.hub.events.slice(-2).map(({ type }) => type)).to.deep.equal(['linkDead', 'suspended']);
    expect(sim.hub.session.suspended).to.equal(true);
  });
});

describe('what a resume repeats', () => {
  it('is the GOAWAY, whenever it was asked for', () => {
    for (const when of ['before the loss', 'without a link', 'while the tables are under way']) {
      const sim = new SimPair(BOTH);
      const cid = sim.openAccepted();
      const drain = () => sim.hub.session.drain(CloseCode.Draining, 5000);
      if (when === 'before the loss') drain();
      sim.cut();
      if (when === 'without a link') drain();
      sim.reconnect();
      if (when === 'while the tables are under way') drain();
      sim.runUntilIdle();
      const goaway = { type: 'goaway', code: CloseCode.Draining, graceMs: 5000 };
      expect(sim.agent.ofType('goaway'), when).to.deep.equal([goaway]);
      sim.cut();
      sim.reconnect();
      sim.runUntilIdle();
      expect(sim.agent.ofType('goaway'), when).to.deep.equal([goaway, goaway]);
      expect(sim.hub.session.open('db', '', sim.now)).to.equal('draining');
      for (const side of sim.sides) side.finish(cid);
      sim.runUntilIdle();
      for (const side of sim.sides) expect(side.ofType('closed')).to.have.length(1);
    }
  });

  it('is not a token: the new link brought one. A fresh one that comes meanwhile is sent', () => {
    const sim = new SimPair(BOTH);
    sim.runUntilIdle();
    sim.agent.session.reauthenticate('lost');
    sim.cut();
    sim.agent.session.reauthenticate('for the next link');
    sim.reconnect();
    sim.agent.session.reauthenticate('fresh');
    sim.runUntilIdle();
    expect(sim.hub.ofType('reauth')).to.deep.equal([{ type: 'reauth', token: 'fresh' }]);
  });
});

describe('streams that are over', () => {
  it('are told of until a PONG has come, and no longer', () => {
    const rows: Frame[] = [];
    const onMessage = (from: string, bytes: Uint8Array): void => {
      if (from === 'agent') rows.push(...decodeFrames([bytes]).filter(({ type }) => type === FrameType.Sync));
    };
    const sim = new SimPair({ ...BOTH, onMessage });
    const [reset, known] = [sim.openAccepted(), sim.openAccepted()];
    sim.agent.reset(known, 'reset_by_target');
    sim.advance(10_000);
    sim.runUntilIdle();
    sim.agent.reset(reset, 'idle_timeout');
    sim.cut();
    sim.reconnect();
    sim.runUntilIdle();
    expect(rows.map((row) => 'cid' in row && row.cid)).to.deep.equal([reset, 0]);
    expect(rows[0]).to.include({ closed: true, opened: true, reason: 'idle_timeout' });
    // The PONG of the PING behind the tables has come.
    rows.length = 0;
    sim.cut();
    sim.reconnect();
    sim.runUntilIdle();
    expect(rows.map((row) => 'cid' in row && row.cid)).to.deep.equal([0]);
  });

  it('are told of again when the PONG went down with the link', () => {
    const sim = new SimPair(BOTH);
    const cid = sim.openAccepted();
    sim.agent.reset(cid, 'idle_timeout');
    sim.advance(10_000);
    // The PING arrives, and the RST before it; the PONG does not.
    sim.pause(sim.hub);
    sim.runUntilIdle();
    sim.cut();
    sim.pause(sim.hub, false);
    sim.reconnect();
    const [message] = [sim.agent.session.pollTransmit(sim.now)];
    expect(decodeFrames([bytesOf(message!)]).map((row) => 'cid' in row && row.cid)).to.deep.equal([cid, 0]);
  });

  it('call for PINGs when they are many, far fewer than would count as flooding, and all are answered', () => {
    for (const latencyMs of [0, 40, 150, 1000]) {
      let pings = 0;
      const onMessage = (from: string, bytes: Uint8Array): void => {
        if (from === 'hub')
          pings += decodeFrames([bytes]).filter(({ type }) => type === FrameType.Ping).length;
      };
      const sim = new SimPair({ ...BOTH, onMessage });
      sim.runUntilIdle();
      sim.latencyMs = latencyMs;
      pings = 0;
      const startedAt = sim.now;
      while (sim.now - startedAt < 8000) {
        for (let n = 0; n < 30; n++) sim.hub.reset(sim.hub.open('db'), 'reset_by_client');
        // The agent's credits keep bytes coming.
        sim.agent.session.reauthenticate('token');
        while (sim.step());
        sim.advance(60);
      }
      sim.runUntilIdle();
      for (const side of sim.sides) expect(side.endCode()).to.equal(undefined);
      expect(pings, `${latencyMs} ms`).to.be.within(3, 8 * 5);
      const rows = rowsOfNextTable(sim);
      // At most what ended in the last two round trips, and what does not yet count as many.
      expect(rows, `${latencyMs} ms`).to.be.below(1100 + 500 * (0.2 + (4 * latencyMs) / 1000));
    }
  });
});

/** How many rows the hub's table has when the link is lost now. */
function rowsOfNextTable(sim: SimPair): number {
  sim.cut();
  sim.reconnect();
  let rows = 0;
  for (let next = sim.hub.session.pollTransmit(sim.now); next; next = sim.hub.session.pollTransmit(sim.now)) {
    rows += decodeFrames([bytesOf(next)]).length;
  }
  return rows;
}
