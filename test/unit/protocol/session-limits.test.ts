import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { CloseCode, FrameType } from '../../../protocol/index.js';
import type { Frame } from '../../../protocol/wire/frame.js';
import { LoneSession } from '../../support/lone-session.js';
import { SimPair, WINDOW } from '../../support/sim-pair.js';

const PING: Frame = { type: FrameType.Ping, nonce: new Uint8Array(8) };

function open(cid: number, window = WINDOW): Frame {
  return { type: FrameType.Open, cid, connector: 'db', client: '', window };
}

describe('the limits of a session', () => {
  describe('streams', () => {
    it('opens no more than either side takes, and again when one is over', () => {
      const sim = new SimPair({ agent: { limits: { maxStreams: 2 } } });
      const cid = sim.openAccepted();
      sim.openAccepted();
      expect(sim.hub.session.open('db', '', 0)).to.equal('limit');
      sim.hub.reset(cid, 'reset_by_client');
      expect(sim.hub.session.open('db', '', 0)).to.be.a('number');
    });

    it('refuses an OPEN beyond its limit', () => {
      const lone = new LoneSession('agent', {
        local: { windowBytes: WINDOW, maxStreams: 1, maxPayload: 65_536 },
      });
      lone.receive(open(2), open(4));
      expect(lone.sent()).to.deep.include({ type: FrameType.Rst, cid: 4, reason: 'limit' });
      expect(lone.session.counters.rstSent).to.equal(1);
    });
  });

  describe('cids', () => {
    it('says in time that they are nearly spent, then opens no more', () => {
      const sim = new SimPair({ hub: { firstCid: 0xffff_fffc } });
      expect(sim.hub.session.cidsNearlySpent).to.equal(true);
      expect(new SimPair().hub.session.cidsNearlySpent).to.equal(false);
      const [last, veryLast] = [sim.openAccepted(), sim.openAccepted()];
      expect([last, veryLast]).to.deep.equal([0xffff_fffc, 0xffff_fffe]);
      expect(sim.hub.session.open('db', '', 0)).to.equal('draining');
      const bytes = randomBytes(1000);
      sim.hub.write(veryLast, bytes);
      sim.runUntilIdle();
      expect(Buffer.compare(sim.agent.bytesOf(veryLast), bytes)).to.equal(0);
    });
  });

  describe('memory', () => {
    it('refuses new streams when the session or the process holds too much, and lets old ones go on', () => {
      for (const limit of ['bufferBytes', 'processBudget'] as const) {
        const budget = { heldBytes: 0, limitBytes: limit === 'processBudget' ? WINDOW : 1e9 };
        const agent = { bufferBytes: limit === 'bufferBytes' ? WINDOW : 1e9, processBudget: budget };
        const sim = new SimPair({ autoConsume: false, agent });
        const cid = sim.openAccepted();
        sim.hub.write(cid, randomBytes(WINDOW));
        sim.runUntilIdle();
        const refused = sim.hub.open('db');
        sim.runUntilIdle();
        expect(sim.hub.resets()).to.deep.equal([{ cid: refused, reason: 'limit' }]);
        sim.agent.consume(cid, WINDOW);
        sim.openAccepted();
        expect(sim.hub.resets()).to.have.length(1);
      }
    });

    it('opens none itself meanwhile', () => {
      const sim = new SimPair({ autoConsume: false, hub: { bufferBytes: 10_000 } });
      const cid = sim.openAccepted();
      sim.hub.write(cid, randomBytes(10_000));
      expect(sim.hub.session.open('db', '', 0)).to.equal('limit');
    });

    it('grants small windows and reads less while it is pressed', () => {
      const sim = new SimPair({
        autoConsume: false,
        hub: { bufferBytes: 100_000 },
        agent: { bufferBytes: 100_000, limits: { windowBytes: 1024 } },
      });
      const first = sim.openAccepted();
      const second = sim.openAccepted();
      sim.hub.write(first, randomBytes(WINDOW));
      sim.hub.write(second, randomBytes(20_000));
      expect(sim.hub.session.budget(second)).to.be.at.most(16_384 - 20_000 + WINDOW);
      sim.runUntilIdle();
      expect(sim.agent.session.heldBytes).to.be.above(75_000);
      const third = sim.openAccepted();
      sim.hub.write(third, randomBytes(1000));
      expect(sim.hub.session.budget(third)).to.equal(16_384 - 1000);
      // All of it gone, the windows are whole again.
      sim.runUntilIdle();
      for (const cid of [first, second, third]) sim.agent.consume(cid, Infinity);
      sim.runUntilIdle();
      expect(sim.agent.session.heldBytes).to.equal(0);
      expect(sim.hub.session.heldBytes).to.equal(0);
    });

    it('keeps no more for a peer that grants without end and acknowledges nothing than its own windows allow', () => {
      const [window, most] = [65_536, 1_048_576];
      const lone = new LoneSession('hub', {
        windowBytes: window,
        maxWindowBytes: most,
        bufferBytes: 4 * most,
      });
      /** Writes as a pipe does: a piece whenever there is room, and the peer reads all of it. */
      const fill = (): { cid: number; bytes: number } => {
        const cid = Number(lone.session.open('db', '', 0));
        lone.receive({ type: FrameType.Opened, cid, window: Number.MAX_SAFE_INTEGER });
        let bytes = 0;
        for (; lone.session.budget(cid) > 0 && bytes < 100 * most; bytes += 16_384) {
          lone.session.write(cid, new Uint8Array(16_384));
          lone.messages();
        }
        return { cid, bytes };
      };
      const first = fill();
      expect(first.bytes).to.equal(most);
      fill();
      expect(fill().bytes, 'the last one before memory is pressed').to.equal(most);
      expect(fill().bytes, 'under pressure').to.equal(window);
      // Whoever acknowledges is given more.
      const { cid } = first;
      lone.receive({ type: FrameType.Credit, cid, consumed: most, limit: Number.MAX_SAFE_INTEGER });
      expect(lone.ofType('writable').map((event) => event.cid)).to.include(cid);
      expect(lone.session.budget(cid)).to.be.above(0);
    });

    it('gives all memory of the process back at the end', () => {
      const processBudget = { heldBytes: 0, limitBytes: 1e9 };
      const sim = new SimPair({ autoConsume: false, hub: { processBudget }, agent: { processBudget } });
      for (let n = 0; n < 5; n++) sim.hub.write(sim.openAccepted(), randomBytes(30_000));
      sim.runUntilIdle();
      expect(processBudget.heldBytes).to.equal(2 * 5 * 30_000);
      expect(sim.hub.session.held).to.deep.equal({ send: 150_000, receive: 0 });
      expect(sim.agent.session.held).to.deep.equal({ send: 0, receive: 150_000 });
      sim.hub.session.close(CloseCode.Normal, 'over');
      sim.agent.session.close(CloseCode.Normal, 'over');
      expect(processBudget.heldBytes).to.equal(0);
    });
  });

  describe('flooding', () => {
    it('bears 200 PINGs at once and 20 a second, and no more', () => {
      const lone = new LoneSession('agent');
      lone.sent();
      for (let n = 0; n < 200; n++) lone.receive(PING);
      expect(lone.sent()).to.have.length(200);
      for (let second = 1; second <= 5; second++) {
        lone.now += 1000;
        for (let n = 0; n < 20; n++) lone.receive(PING);
      }
      expect(lone.endCode()).to.equal(undefined);
      lone.receive(PING);
      expect(lone.endCode()).to.equal(CloseCode.Flooding);
    });

    /** Receives that much DATA on a stream that is open, or was. */
    function withData(bytes: number, over: boolean): LoneSession {
      const lone = new LoneSession('agent', { windowBytes: 16_777_216, maxWindowBytes: 16_777_216 });
      lone.receive(open(2));
      lone.session.accept(2, 0);
      if (over) lone.receive({ type: FrameType.Rst, cid: 2, reason: 'internal' });
      for (let seq = 0; seq < bytes; seq += 16_384) {
        const payload = new Uint8Array(Math.min(16_384, bytes - seq));
        lone.receive({ type: FrameType.Data, cid: 2, seq, payload });
      }
      lone.sent();
      return lone;
    }

    for (const over of [false, true]) {
      it(`bears one PING more for each 32 KiB of DATA, ${over ? 'also for a stream that is over' : 'and no more'}`, () => {
        const lone = withData(10 * 32_768 - 1, over);
        for (let n = 0; n < 209; n++) lone.receive(PING);
        expect(lone.endCode()).to.equal(undefined);
        lone.receive(PING);
        expect(lone.endCode()).to.equal(CloseCode.Flooding);
      });
    }

    it('bears 32 of them for all the DATA since the last one', () => {
      const lone = withData(10_000_000, false);
      for (let n = 0; n < 232; n++) lone.receive(PING);
      expect(lone.endCode()).to.equal(undefined);
      lone.receive(PING);
      expect(lone.endCode()).to.equal(CloseCode.Flooding);
    });

    for (const frame of [
      { type: FrameType.Goaway, code: 1000, graceMs: 0 },
      { type: FrameType.Reauth, token: 'x' },
    ] satisfies Frame[]) {
      it(`counts frames of type ${frame.type} with them`, () => {
        const lone = new LoneSession('hub');
        for (let n = 0; n < 100; n++) lone.receive(frame, PING);
        expect(lone.endCode()).to.equal(undefined);
        lone.receive(frame);
        expect(lone.endCode()).to.equal(CloseCode.Flooding);
      });
    }

    const useless: [string, Frame][] = [
      ['late DATA', { type: FrameType.Data, cid: 2, seq: 0, payload: new Uint8Array(1) }],
      ['late RST', { type: FrameType.Rst, cid: 2, reason: 'internal' }],
      ['CREDIT without news', { type: FrameType.Credit, cid: 4, consumed: 0, limit: 0 }],
      ['PONG that nobody awaits', { type: FrameType.Pong, nonce: new Uint8Array(8).fill(9) }],
    ];
    for (const [name, frame] of useless) {
      it(`bears 200,000 frames of ${name} at once and 20,000 a second, and no more`, () => {
        const lone = new LoneSession('agent');
        lone.receive(open(2), { type: FrameType.Rst, cid: 2, reason: 'internal' }, open(4));
        const thousand = Array.from({ length: 1000 }, () => frame);
        for (let n = 0; n < 200; n++) lone.receive(...thousand);
        lone.now += 1000;
        for (let n = 0; n < 20; n++) lone.receive(...thousand);
        expect(lone.endCode()).to.equal(undefined);
        expect(lone.session.counters.lateFrames).to.equal(name.startsWith('late') ? 220_000 : 0);
        lone.receive(frame);
        expect(lone.endCode()).to.equal(CloseCode.Flooding);
      });
    }

    it('ends the session when answers pile up for a peer that does not read', () => {
      const local = { windowBytes: 65_536, maxStreams: 10, maxPayload: 65_536 };
      const lone = new LoneSession('agent', { local });
      lone.sent();
      // Refused OPENs: each costs an RST.
      const refused = 4096 + 4 * 10;
      for (let cid = 2; cid <= 20; cid += 2) lone.receive(open(cid));
      for (let n = 0; n < refused; n++) lone.receive(open(22 + 2 * n));
      expect(lone.endCode()).to.equal(undefined);
      lone.receive(open(22 + 2 * refused));
      expect(lone.endCode()).to.equal(CloseCode.Flooding);
    });

    it('bears the same from a peer that reads', () => {
      const local = { windowBytes: 65_536, maxStreams: 0, maxPayload: 65_536 };
      const lone = new LoneSession('agent', { local });
      for (let n = 0; n < 10_000; n++) {
        lone.receive(open(2 + 2 * n));
        if (n % 100 === 0) lone.sent();
      }
      expect(lone.endCode()).to.equal(undefined);
    });

    it('never takes its own opens for a flood of the peer', () => {
      const sim = new SimPair({ hub: { limits: { maxStreams: 100 } } });
      sim.runUntilIdle();
      sim.pause(sim.hub);
      let opened = 0;
      for (let n = 0; n < 10_000; n++) {
        const cid = sim.hub.session.open('db', '', 0);
        if (cid === 'limit') continue;
        sim.hub.reset(cid as number, 'reset_by_client');
        opened++;
      }
      expect(opened).to.be.within(1000, 3000);
      sim.agent.session.reauthenticate('x');
      sim.runUntilIdle();
      expect(sim.hub.endCode()).to.equal(undefined);
      sim.pause(sim.hub, false);
      sim.runUntilIdle();
      expect(sim.agent.ofType('reset')).to.have.length(opened);
      expect(sim.hub.session.open('db', '', 0)).to.be.a('number');
    });
  });

  describe('credit', () => {
    it('is announced at once from a quarter on, and after 20 ms below that', () => {
      const sim = new SimPair({ autoConsume: false });
      const cid = sim.openAccepted();
      sim.hub.write(cid, randomBytes(WINDOW));
      sim.runUntilIdle();
      const before = sim.linkBytes;
      sim.agent.consume(cid, WINDOW / 4);
      while (sim.step());
      expect(sim.linkBytes - before).to.equal(25);
      sim.agent.consume(cid, 1);
      sim.agent.consume(cid, 1);
      while (sim.step());
      expect(sim.linkBytes - before).to.equal(25);
      sim.advance(20);
      while (sim.step());
      expect(sim.linkBytes - before).to.equal(50);
    });

    it('is not announced late when it was announced meanwhile, or when the stream is gone', () => {
      const sim = new SimPair({ autoConsume: false });
      const [cid, gone] = [sim.openAccepted(), sim.openAccepted()];
      for (const one of [cid, gone]) sim.hub.write(one, randomBytes(WINDOW));
      sim.runUntilIdle();
      sim.agent.consume(cid, 1);
      sim.agent.consume(gone, 1);
      sim.agent.consume(cid, WINDOW / 2);
      sim.agent.consume(cid, WINDOW / 8);
      sim.agent.reset(gone, 'internal');
      while (sim.step());
      const before = sim.linkBytes;
      sim.advance(20);
      while (sim.step());
      expect(sim.linkBytes).to.equal(before);
    });
  });
});
