/** Tables that an honest peer does not send: what they do to one stream, and what they do to the session. */
import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { CloseCode, FrameType } from '../../../protocol/index.js';
import type { Frame, SyncFrame } from '../../../protocol/wire/frame.js';
import { LoneSession } from '../../support/lone-session.js';

const GRACE = { resumeGraceMs: 60_000 };
const NOTHING = { opened: false, closed: false, reason: undefined, received: 0, consumed: 0, limit: 0 };

function row(cid: number, values: Partial<SyncFrame> = {}): SyncFrame {
  return { ...NOTHING, ...values, type: FrameType.Sync, cid };
}
function end(rows: number, highestSeen = 0): SyncFrame {
  return row(0, { consumed: rows, received: highestSeen });
}

/** A hub with two open streams, 2 and 4; on 2 it sent 100 bytes, of which 40 are acknowledged. */
function hubWithStreams(): LoneSession {
  const lone = new LoneSession('hub', GRACE);
  for (const cid of [2, 4]) {
    expect(lone.session.open('db', '', 0)).to.equal(cid);
    lone.receive({ type: FrameType.Opened, cid, window: 65_536 });
  }
  lone.session.write(2, randomBytes(100));
  lone.sent();
  lone.receive({ type: FrameType.Credit, cid: 2, consumed: 40, limit: 65_536 });
  return lone;
}

/** The same, on a new link: its own table is sent, the agent's is due. */
function hubInExchange(prepare?: (lone: LoneSession) => void): LoneSession {
  const lone = hubWithStreams();
  prepare?.(lone);
  lone.session.linkLost('gone', lone.now);
  lone.session.resume(lone.now);
  lone.sent();
  return lone;
}

const GOOD_2 = row(2, { opened: true, received: 70, consumed: 40, limit: 65_536 });
const GOOD_4 = row(4, { opened: true, limit: 65_536 });

function resets(lone: LoneSession): unknown[] {
  return lone.ofType('reset').map(({ cid, reason, by }) => [cid, reason, by]);
}

describe('a table of streams that agrees', () => {
  it('goes on where the peer is', () => {
    const lone = hubInExchange();
    lone.receive(GOOD_2, GOOD_4, end(2, 4));
    const sent = lone.sent();
    expect(sent.map(({ type }) => type)).to.deep.equal([FrameType.Ping, FrameType.Data]);
    expect(sent[1]).to.include({ cid: 2, seq: 70 });
    expect(lone.session.counters.replayedBytes).to.equal(30);
    expect(resets(lone)).to.deep.equal([]);
  });

  it('may come in any order, in any pieces, and be followed at once by frames', () => {
    const lone = hubInExchange();
    lone.receive(GOOD_4);
    lone.receive(GOOD_2);
    const bytes = randomBytes(10);
    lone.receive(end(2, 4), { type: FrameType.Data, cid: 4, seq: 0, payload: bytes });
    expect(lone.ofType('data').map((event) => Buffer.from(event.bytes))).to.deep.equal([bytes]);
  });

  it('says of each live stream what was received, consumed and granted, and of the session what was opened', () => {
    const lone = new LoneSession('agent', GRACE);
    for (const cid of [2, 4, 6]) {
      lone.receive({ type: FrameType.Open, cid, connector: 'db', client: '', window: 1000 });
    }
    lone.receive({ type: FrameType.Data, cid: 2, seq: 0, payload: randomBytes(300) });
    lone.session.accept(2, lone.now);
    lone.session.consumed(2, 200, lone.now);
    lone.session.reset(6, 'dns_failed');
    lone.session.linkLost('gone', lone.now);
    lone.session.resume(lone.now);
    expect(lone.sent()).to.deep.equal([
      row(6, { closed: true, reason: 'dns_failed' }),
      row(2, { opened: true, received: 300, consumed: 200, limit: 65_736 }),
      row(4, { limit: 65_536 }),
      end(3, 6),
    ]);
  });
});

describe('a table of streams, under memory pressure', () => {
  it('grants less, and takes back nothing', () => {
    const lone = new LoneSession('agent', { ...GRACE, bufferBytes: 40_000 });
    for (const cid of [2, 4]) {
      lone.receive({ type: FrameType.Open, cid, connector: 'db', client: '', window: 1000 });
    }
    lone.receive({ type: FrameType.Data, cid: 2, seq: 0, payload: randomBytes(60_000) });
    lone.session.consumed(2, 20_000, lone.now);
    lone.session.linkLost('gone', lone.now);
    lone.session.resume(lone.now);
    // 40,000 bytes are held: 16 KiB of window instead of 64, but 65,536 was granted before.
    expect(lone.sent().slice(0, 2)).to.deep.equal([
      row(2, { received: 60_000, consumed: 20_000, limit: 65_536 }),
      row(4, { limit: 65_536 }),
    ]);
  });
});

describe('a table of streams that does not agree', () => {
  /** The row for stream 2, what the hub did before, and why it is wrong. */
  const wrong: [why: string, values: Partial<SyncFrame>, prepare?: (lone: LoneSession) => void][] = [
    ['more received than was sent', { received: 101, consumed: 40 }],
    ['FIN received that was not sent', { received: 102, consumed: 40 }, (lone) => lone.session.finish(2)],
    ['more consumed than received', { received: 60, consumed: 61 }],
    ['less consumed than was acknowledged', { received: 70, consumed: 39 }],
    ['closed cleanly, and the FIN was never sent', { closed: true }],
    [
      'closed cleanly, and its own FIN has not come',
      { closed: true },
      (lone) => {
        lone.session.finish(2);
        lone.sent();
      },
    ],
    [
      'closed cleanly, and its own FIN has not taken effect',
      { closed: true },
      (lone) => {
        lone.receive({ type: FrameType.Fin, cid: 2, seq: 0 });
        lone.session.finish(2);
        lone.sent();
      },
    ],
  ];
  for (const [why, values, prepare] of wrong) {
    it(`resets that stream alone: ${why}`, () => {
      const lone = hubInExchange(prepare);
      lone.receive(row(2, { opened: true, limit: 65_536, ...values }), GOOD_4, end(2, 4));
      expect(resets(lone)).to.deep.equal([[2, 'protocol_error', 'session']]);
      const sent = lone.sent();
      expect(sent).to.deep.include({ type: FrameType.Rst, cid: 2, reason: 'protocol_error' });
      expect(sent.some(({ type }) => type === FrameType.Data)).to.equal(false);
      expect([lone.endCode(), lone.session.streamCount, lone.session.held.send]).to.deep.equal([
        undefined,
        1,
        0,
      ]);
    });
  }

  it('takes the same rows when they are right', () => {
    const finished = (lone: LoneSession): void => {
      lone.session.finish(2);
      lone.receive({ type: FrameType.Fin, cid: 2, seq: 0 });
      lone.session.consumed(2, 1, lone.now);
      lone.sent();
    };
    const right: [Partial<SyncFrame>, ((lone: LoneSession) => void) | undefined, live: boolean][] = [
      [{ received: 100, consumed: 100 }, undefined, true],
      [{ received: 101, consumed: 40 }, finished, true],
      [{ received: 101, consumed: 101 }, finished, false],
      [{ closed: true }, finished, false],
    ];
    for (const [values, prepare, live] of right) {
      const lone = hubInExchange(prepare);
      lone.receive(row(2, { opened: true, limit: 65_536, ...values }), GOOD_4, end(2, 4));
      expect(resets(lone)).to.deep.equal([]);
      expect(lone.ofType('closed').map(({ cid }) => cid)).to.deep.equal(live ? [] : [2]);
    }
  });

  it('resets a stream that the peer does not have, and nothing else; no RST is sent', () => {
    const lone = hubInExchange();
    lone.receive(GOOD_2, end(1, 4));
    expect(resets(lone)).to.deep.equal([[4, 'tunnel_lost', 'session']]);
    expect(lone.sent().some(({ type }) => type === FrameType.Rst)).to.equal(false);
  });

  it('does not take a stream that the peer forgot for one that no target has seen', () => {
    const lone = new LoneSession('hub', GRACE);
    const cid = lone.session.open('db', '', 0) as number;
    lone.session.write(cid, randomBytes(10));
    lone.sent();
    lone.session.linkLost('gone', 0);
    lone.session.resume(0);
    lone.receive(end(0, cid));
    expect(lone.ofType('reset')[0]).to.include({ reason: 'tunnel_lost', beforeOpened: false });
  });

  it('ignores rows of streams that are over, or that the peer only thinks it has', () => {
    const lone = hubInExchange((hub) => hub.session.reset(4, 'reset_by_client'));
    lone.receive(GOOD_2, GOOD_4, row(1, { received: 500 }), row(1000, { closed: true }), end(4, 4));
    expect([lone.endCode(), lone.session.streamCount]).to.deep.equal([undefined, 1]);
    expect(resets(lone)).to.deep.equal([]);
  });

  const fatal: [why: string, frames: readonly Frame[]][] = [
    ['has a row twice', [GOOD_2, GOOD_2]],
    ['counts too few rows', [GOOD_2, GOOD_4, end(1, 4)]],
    ['counts too many rows', [GOOD_2, GOOD_4, end(3, 4)]],
    ['goes on behind its end', [GOOD_2, GOOD_4, end(2, 4), row(6)]],
    ['ends twice', [GOOD_2, GOOD_4, end(2, 4), end(0)]],
  ];
  for (const [why, frames] of fatal) {
    it(`ends the session with 4400 when it ${why}`, () => {
      const lone = hubInExchange();
      lone.receive(...frames);
      expect(lone.endCode()).to.equal(CloseCode.Protocol);
      expect([lone.session.streamCount, lone.session.heldBytes]).to.deep.equal([0, 0]);
    });
  }

  it('ends the session with 4400 when it has more rows than a peer may keep streams', () => {
    const lone = hubInExchange();
    // 100 streams, and 70,000 for those that are over.
    for (let n = 1; n <= 70_100; n++) lone.receive(row(2 * n, { closed: true, reason: 'limit' }));
    expect(lone.endCode()).to.equal(undefined);
    lone.receive(row(1_000_000));
    expect(lone.endCode()).to.equal(CloseCode.Protocol);
  });
});

describe('a resume', () => {
  it('takes nothing before the table: 4400', () => {
    const early: Frame[] = [
      { type: FrameType.Open, cid: 1, connector: 'db', client: '', window: 0 },
      { type: FrameType.Opened, cid: 2, window: 1 },
      { type: FrameType.Data, cid: 2, seq: 0, payload: randomBytes(1) },
      { type: FrameType.Fin, cid: 2, seq: 0 },
      { type: FrameType.Credit, cid: 2, consumed: 41, limit: 65_536 },
      { type: FrameType.Rst, cid: 2, reason: 'internal' },
      { type: FrameType.Ping, nonce: new Uint8Array(8) },
      { type: FrameType.Pong, nonce: new Uint8Array(8) },
      { type: FrameType.Goaway, code: CloseCode.Normal, graceMs: 0 },
      { type: FrameType.Reauth, token: 'x' },
      { type: FrameType.Diag, text: 'x' },
    ];
    for (const frame of early) {
      for (const rows of [[], [GOOD_2]]) {
        const lone = hubInExchange();
        lone.receive(...rows, frame);
        expect(lone.ofType('ended')[0]).to.include({
          code: CloseCode.Protocol,
          message: `frame type ${frame.type} before the stream table`,
        });
        expect(lone.ofType('data')).to.deep.equal([]);
      }
    }
  });

  it('does not take a table where none is due: 4400', () => {
    for (const resumeGraceMs of [0, 60_000]) {
      const lone = new LoneSession('hub', { resumeGraceMs });
      lone.receive(end(0));
      expect(lone.endCode()).to.equal(CloseCode.Protocol);
    }
  });

  it('forgets the half of a frame that came over the old link, and minds the messages of the new one', () => {
    const lone = hubWithStreams();
    lone.session.receive(Uint8Array.of(0, 0, 16, FrameType.Credit, 0), lone.now);
    lone.session.linkLost('gone', lone.now);
    lone.session.receiveMessageEnd();
    lone.session.resume(lone.now);
    lone.receive(GOOD_2, GOOD_4, end(2, 4));
    expect(lone.endCode()).to.equal(undefined);
    lone.receiveBytes(Uint8Array.of(0, 0, 16));
    expect(lone.endCode()).to.equal(CloseCode.Protocol);
  });

  it('does not take a PONG of the old link for a sign that the peer knows what has ended', () => {
    const lone = hubWithStreams();
    lone.session.reset(4, 'reset_by_client');
    lone.advance(10_000);
    const ping = lone.sent().find((frame) => frame.type === FrameType.Ping)!;
    for (let n = 0; n < 2; n++) {
      lone.session.linkLost('gone', lone.now);
      lone.session.resume(lone.now);
      expect(lone.sent()).to.deep.include(row(4, { closed: true, opened: true, reason: 'reset_by_client' }));
      lone.receive(GOOD_2, row(4, { received: 0 }), end(2, 4));
      lone.receive({ type: FrameType.Pong, nonce: ping.nonce });
    }
    expect(lone.ofType('roundTrip')).to.deep.equal([]);
  });
});
