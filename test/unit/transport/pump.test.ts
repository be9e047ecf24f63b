import { expect } from 'chai';
import { CloseCode, FrameType } from '../../../protocol/index.js';
import type { Frame } from '../../../protocol/wire/frame.js';
import type { StreamHandle } from '../../../transport/pump.js';
import { nextTurn } from './fake-link.js';
import { PumpHarness } from './pump-harness.js';

const text = (data: string): Uint8Array => Buffer.from(data);
const types = (frames: readonly Frame[]): number[] => frames.map(({ type }) => type);

/** Opens a stream on a hub's pump; fails the test when that is refused. */
function open(harness: PumpHarness, name: string): StreamHandle {
  const handle = harness.pump.open(name, '192.0.2.7:5', harness.owner(name));
  if (typeof handle === 'string') throw new Error(`refused: ${handle}`);
  return handle;
}

/** The peer answers OPEN with room for that many bytes. */
const opened = (cid: number, window = 65_536): Frame => ({ type: FrameType.Opened, cid, window });
const data = (cid: number, seq: number, payload: string): Frame => ({
  type: FrameType.Data,
  cid,
  seq,
  payload: text(payload),
});
const fin = (cid: number, seq: number): Frame => ({ type: FrameType.Fin, cid, seq });
const credit = (cid: number, consumed: number, limit = 65_536): Frame => ({
  type: FrameType.Credit,
  cid,
  consumed,
  limit,
});

describe('Pump: messages out', () => {
  it('sends what one turn of the event loop made in one message', async () => {
    const harness = new PumpHarness('hub');
    for (const name of ['a', 'b', 'c']) open(harness, name).write(text(name));
    expect(harness.link.messages).to.have.length(0);
    await nextTurn();
    expect(harness.link.messages).to.have.length(1);
    const { Ping, Open, Data } = FrameType;
    expect(types(harness.link.frames())).to.deep.equal([Ping, Open, Open, Open, Data, Data, Data]);
  });

  it('sends nothing while the link is not writable, and goes on when it is', async () => {
    const harness = new PumpHarness('hub');
    harness.link.room = 0;
    open(harness, 'a');
    await nextTurn();
    expect(harness.link.messages).to.have.length(0);
    harness.link.giveRoom();
    expect(types(harness.link.frames())).to.deep.equal([FrameType.Ping, FrameType.Open]);
  });

  it('gives the link one message after the other only as long as it is writable', async () => {
    const peer = { windowBytes: 262_144, maxStreams: 100, maxPayload: 16_384 };
    const harness = new PumpHarness('hub', { peer });
    open(harness, 'a').write(new Uint8Array(131_072));
    harness.link.room = 1;
    await nextTurn();
    expect(harness.link.messages).to.have.length(1);
    harness.link.giveRoom(2);
    expect(harness.link.messages).to.have.length(3);
    harness.link.giveRoom();
    const bytes = harness.link
      .frames()
      .map((frame) => (frame.type === FrameType.Data ? frame.payload.length : 0));
    expect(bytes.reduce((sum, count) => sum + count, 0)).to.equal(131_072);
  });

  it('announces small progress when its time has come, without any further call', async () => {
    const harness = new PumpHarness('hub');
    const handle = open(harness, 'a');
    harness.link.arrive(opened(handle.cid), data(handle.cid, 0, 'hello'));
    await nextTurn();
    harness.link.frames();
    handle.consumed(5);
    await nextTurn();
    expect(types(harness.link.frames())).to.deep.equal([]);
    harness.clock.advance(20);
    expect(harness.link.frames()).to.deep.include({
      type: FrameType.Credit,
      cid: handle.cid,
      consumed: 5,
      limit: 65_541,
    });
  });

  it('asks a silent peer with PING, and drops a dead link without a close frame', async () => {
    const harness = new PumpHarness('hub');
    await nextTurn();
    harness.link.frames();
    harness.clock.advance(10_000);
    expect(types(harness.link.frames())).to.include(FrameType.Ping);
    harness.clock.advance(15_000);
    expect(harness.link.terminated).to.equal(true);
    expect(harness.link.closed).to.equal(undefined);
    expect(harness.told).to.deep.equal(['ended 1006 by peer: nothing was heard for 25000 ms']);
    expect(harness.clock.pending).to.equal(0);
  });
});

describe('Pump: events in', () => {
  it('gives the events of a stream to its owner, and to nobody else', async () => {
    const harness = new PumpHarness('hub');
    const [a, b] = [open(harness, 'a'), open(harness, 'b')];
    harness.link.arrive(opened(b.cid), data(b.cid, 0, 'to b'), opened(a.cid), data(a.cid, 0, 'to a'));
    await nextTurn();
    expect(harness.told).to.deep.equal(['b opened', 'b data to b', 'a opened', 'a data to a']);
  });

  it('tells FIN, and the end when both directions are done; then nothing', async () => {
    const harness = new PumpHarness('hub');
    const a = open(harness, 'a');
    a.finish();
    await nextTurn();
    harness.link.arrive(opened(a.cid), fin(a.cid, 0), credit(a.cid, 1));
    a.consumed(1);
    harness.clock.advance(20);
    await nextTurn();
    harness.link.arrive({ type: FrameType.Rst, cid: a.cid, reason: 'internal' });
    expect(harness.told).to.deep.equal(['a opened', 'a finished', 'a closed']);
    expect(harness.pump.streamCount).to.equal(0);
  });

  it('tells a reset once, and nothing of the stream after it', async () => {
    const harness = new PumpHarness('hub');
    const a = open(harness, 'a');
    await nextTurn();
    harness.link.arrive(
      { type: FrameType.Rst, cid: a.cid, reason: 'connect_refused' },
      { type: FrameType.Rst, cid: a.cid, reason: 'internal' },
      data(a.cid, 0, 'late'),
    );
    expect(harness.told).to.deep.equal(['a reset connect_refused']);
  });

  it('tells an owner nothing of a stream that it reset itself', async () => {
    const harness = new PumpHarness('hub');
    const a = open(harness, 'a');
    await nextTurn();
    harness.link.frames();
    a.reset('reset_by_client');
    harness.link.arrive(opened(a.cid), data(a.cid, 0, 'late'), fin(a.cid, 4));
    await nextTurn();
    expect(harness.told).to.deep.equal([]);
    expect(harness.link.frames()).to.deep.include({
      type: FrameType.Rst,
      cid: a.cid,
      reason: 'reset_by_client',
    });
  });

  it('wakes an owner that had no budget when there is room again', async () => {
    const harness = new PumpHarness('hub');
    const a = open(harness, 'a');
    a.write(new Uint8Array(65_536));
    expect(a.budget()).to.equal(0);
    await nextTurn();
    harness.link.arrive(opened(a.cid, 65_536), credit(a.cid, 65_536, 131_072));
    expect(harness.told).to.deep.equal(['a opened', 'a writable']);
    expect(a.budget()).to.equal(65_536);
  });

  it('measures the round trip with the PONG', async () => {
    const harness = new PumpHarness('hub');
    await nextTurn();
    const ping = harness.link.frames().find((frame) => frame.type === FrameType.Ping);
    if (ping?.type !== FrameType.Ping) throw new Error('no PING');
    harness.clock.advance(30);
    harness.link.arrive({ type: FrameType.Pong, nonce: ping.nonce });
    expect(harness.told).to.deep.equal(['round trip 30']);
  });

  it('hands GOAWAY and REAUTH on, and opens no stream after GOAWAY', async () => {
    const harness = new PumpHarness('hub');
    harness.link.arrive(
      { type: FrameType.Reauth, token: 'fresh' },
      { type: FrameType.Goaway, code: CloseCode.Draining, graceMs: 7000 },
    );
    await nextTurn();
    expect(harness.told).to.deep.equal(['reauth fresh', 'goaway 4503 7000']);
    expect(harness.pump.open('a', '192.0.2.7:5', harness.owner('a'))).to.equal('draining');
  });

  it('offers a stream of the peer, whose owner accepts it', async () => {
    const harness = new PumpHarness('agent');
    harness.link.arrive({
      type: FrameType.Open,
      cid: 2,
      connector: 'web',
      client: '192.0.2.7:5',
      window: 65_536,
    });
    expect(harness.told).to.deep.equal(['open 2 web 192.0.2.7:5']);
    const handle = harness.pump.adopt(2, harness.owner('web'));
    handle.accept();
    handle.write(text('answer'));
    harness.link.arrive(data(2, 0, 'question'));
    await nextTurn();
    expect(harness.told).to.include('web data question');
    expect(types(harness.link.frames())).to.include.members([FrameType.Opened, FrameType.Data]);
  });

  it('refuses a stream of the peer that nobody adopted', async () => {
    const harness = new PumpHarness('agent');
    harness.link.arrive({
      type: FrameType.Open,
      cid: 2,
      connector: 'web',
      client: '192.0.2.7:5',
      window: 65_536,
    });
    harness.pump.refuse(2, 'unknown_connector');
    await nextTurn();
    expect(harness.link.frames()).to.deep.include({
      type: FrameType.Rst,
      cid: 2,
      reason: 'unknown_connector',
    });
  });

  it('sends REAUTH and GOAWAY for its daemon', async () => {
    const harness = new PumpHarness('agent');
    harness.pump.reauthenticate('fresh');
    harness.pump.drain(CloseCode.Normal, 500);
    await nextTurn();
    expect(harness.link.frames()).to.deep.include.members([
      { type: FrameType.Reauth, token: 'fresh' },
      { type: FrameType.Goaway, code: CloseCode.Normal, graceMs: 500 },
    ]);
  });
});

describe('Pump: the end', () => {
  it('resets the streams, tells the end and closes the link with the code', async () => {
    const harness = new PumpHarness('hub');
    open(harness, 'a');
    const closing = harness.pump.close(CloseCode.Draining, 'shutting down');
    expect(harness.told).to.deep.equal(['a reset draining', 'ended 4503 by us: shutting down']);
    expect(harness.link.closed).to.deep.equal({ code: 4503, reason: 'shutting down' });
    harness.link.end(4503);
    await closing;
    expect(harness.told).to.have.length(2);
    expect(harness.clock.pending).to.equal(0);
  });

  it('resolves close when the link is gone, not before', async () => {
    const harness = new PumpHarness('hub');
    let gone = false;
    const closing = harness.pump.close(CloseCode.Normal, 'over').then(() => (gone = true));
    await nextTurn();
    expect(gone).to.equal(false);
    harness.link.end(1000);
    await closing;
  });

  it('sends what is due before it closes', () => {
    const harness = new PumpHarness('hub');
    const a = open(harness, 'a');
    a.reset('limit');
    void harness.pump.close(CloseCode.Normal, 'over');
    expect(harness.link.frames()).to.deep.include({ type: FrameType.Rst, cid: a.cid, reason: 'limit' });
  });

  it("closes with the code of the peer's fault, after everything that came before it", () => {
    const harness = new PumpHarness('hub');
    const a = open(harness, 'a');
    harness.link.arrive(opened(a.cid), data(a.cid, 0, 'good'), opened(999));
    expect(harness.told.slice(0, 3)).to.deep.equal(['a opened', 'a data good', 'a reset tunnel_lost']);
    expect(harness.link.closed?.code).to.equal(CloseCode.Protocol);
  });

  it('closes when a message ends inside a frame', () => {
    const harness = new PumpHarness('hub');
    harness.link.arriveBytes(Uint8Array.of(0, 0, 8));
    expect(harness.link.closed).to.deep.equal({
      code: CloseCode.Protocol,
      reason: 'a message ended inside a frame',
    });
  });

  for (const code of [CloseCode.Normal, CloseCode.Replaced, CloseCode.Unauthenticated]) {
    it(`ends with the peer's close code ${code}, also where it could resume`, () => {
      const harness = new PumpHarness('hub', { resumeGraceMs: 60_000 });
      open(harness, 'a');
      harness.link.end(code, 'because');
      expect(harness.told).to.deep.equal(['a reset tunnel_lost', `ended ${code} by peer: because`]);
      expect(harness.link.closed).to.equal(undefined);
      expect(harness.clock.pending).to.equal(0);
    });
  }

  it('says that the connection broke when there was no close frame', () => {
    const harness = new PumpHarness('hub');
    harness.link.end(1006);
    expect(harness.told).to.deep.equal(['ended 1006 by peer: the connection broke (1006)']);
  });

  it('refuses streams after the end, and a second close changes nothing', async () => {
    const harness = new PumpHarness('hub');
    harness.link.end(1000);
    expect(harness.pump.open('a', '192.0.2.7:5', harness.owner('a'))).to.equal('draining');
    await harness.pump.close(CloseCode.Draining, 'again');
    expect(harness.told).to.have.length(1);
  });
});
