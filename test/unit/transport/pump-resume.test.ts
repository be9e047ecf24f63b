import { expect } from 'chai';
import { CloseCode, encodeFrame, FrameType } from '../../../protocol/index.js';
import type { Frame, SyncFrame } from '../../../protocol/wire/frame.js';
import { nextTurn } from './fake-link.js';
import { PumpHarness } from './pump-harness.js';

const GRACE_MS = 60_000;
const data = (cid: number, seq: number, payload: string): Frame => ({
  type: FrameType.Data,
  cid,
  seq,
  payload: Buffer.from(payload),
});
const row = (members: Partial<SyncFrame>): SyncFrame => ({
  type: FrameType.Sync,
  cid: 0,
  opened: false,
  closed: false,
  reason: undefined,
  received: 0,
  consumed: 0,
  limit: 0,
  ...members,
});

/** A hub's pump with an open stream on which the peer sent `hello` and we sent `12345`; it may resume. */
async function running(): Promise<{ harness: PumpHarness; cid: number }> {
  const harness = new PumpHarness('hub', { resumeGraceMs: GRACE_MS });
  const handle = harness.pump.open('web', '192.0.2.7:5', harness.owner('web'));
  if (typeof handle === 'string') throw new Error(handle);
  handle.write(Buffer.from('12345'));
  await nextTurn();
  harness.link.arrive(
    { type: FrameType.Opened, cid: handle.cid, window: 65_536 },
    data(handle.cid, 0, 'hello'),
  );
  harness.told.length = 0;
  return { harness, cid: handle.cid };
}

describe('Pump: a session that outlives its link', () => {
  it('suspends, resumes and goes on from the first missing byte, in this order', async () => {
    const { harness, cid } = await running();
    harness.link.end(1006);
    expect(harness.told).to.deep.equal(['suspended: the connection broke (1006)']);
    expect(harness.session.suspended).to.equal(true);
    harness.clock.advance(1500);
    const link = harness.resume();
    await nextTurn();
    expect(link.frames().map(({ type }) => type)).to.deep.equal([FrameType.Sync, FrameType.Sync]);
    // The agent has had `123`.
    link.arrive(
      row({ cid, opened: true, received: 3, consumed: 3, limit: 65_536 }),
      row({ consumed: 1 }),
      data(cid, 5, ' world'),
    );
    await nextTurn();
    expect(harness.told).to.deep.equal([
      'suspended: the connection broke (1006)',
      'resumed after 1500',
      'web data  world',
    ]);
    const replay = link.frames().find((frame) => frame.type === FrameType.Data);
    expect(replay).to.deep.include({ seq: 3 });
    expect(harness.session.counters.replayedBytes).to.equal(2);
    void harness.pump.close(CloseCode.Normal, 'over');
    expect(harness.told.slice(3)).to.deep.equal(['web reset tunnel_lost', 'ended 1000 by us: over']);
  });

  it('ends when nobody comes back within the grace', async () => {
    const { harness } = await running();
    harness.link.end(1006);
    harness.clock.advance(GRACE_MS - 1);
    expect(harness.session.ended).to.equal(false);
    harness.clock.advance(1);
    expect(harness.told).to.deep.equal([
      'suspended: the connection broke (1006)',
      'web reset tunnel_lost',
      'ended 1006 by us: not resumed within 60000 ms',
    ]);
    expect(harness.clock.pending).to.equal(0);
  });

  it('lets nothing of a link that was given up reach the session', async () => {
    const { harness, cid } = await running();
    const old = harness.link;
    harness.pump.dropLink('the agent is back');
    expect(old.terminated).to.equal(true);
    const link = harness.resume();
    await nextTurn();
    link.frames();
    old.arrive(data(cid, 5, 'from the dead'));
    old.arrivePart(encodeFrame(data(cid, 5, 'x')).subarray(0, 4));
    old.arriveBytes();
    old.giveRoom();
    old.end(CloseCode.Replaced, 'late');
    await nextTurn();
    expect(harness.told).to.deep.equal(['suspended: the agent is back']);
    expect(harness.session.ended).to.equal(false);
    expect(old.messages.length, 'nothing more was sent there').to.equal(1);
  });

  it('lets go of a dead link and waits for another', async () => {
    const { harness } = await running();
    const old = harness.link;
    harness.clock.advance(25_000);
    expect(old.terminated).to.equal(true);
    expect(harness.told.at(-1)).to.equal('suspended: nothing was heard for 25000 ms');
    old.end(1006);
    expect(harness.told).to.have.length(1);
  });

  it('ends at once on dropLink where it does not resume', () => {
    const harness = new PumpHarness('hub');
    harness.pump.dropLink('the agent is back');
    expect(harness.told).to.deep.equal(['ended 1006 by peer: the agent is back']);
    expect(harness.link.terminated).to.equal(true);
    expect(harness.clock.pending).to.equal(0);
  });

  it('keeps what the owners write while there is no link', async () => {
    const harness = new PumpHarness('hub', { resumeGraceMs: GRACE_MS });
    const handle = harness.pump.open('web', '192.0.2.7:5', harness.owner('web'));
    if (typeof handle === 'string') throw new Error(handle);
    await nextTurn();
    harness.link.end(1006);
    handle.write(Buffer.from('meanwhile'));
    await nextTurn();
    const link = harness.resume();
    await nextTurn();
    link.frames();
    // The agent never heard of the stream.
    link.arrive(row({}));
    await nextTurn();
    const again = link.frames();
    expect(again).to.deep.include({
      type: FrameType.Open,
      cid: handle.cid,
      connector: 'web',
      client: '192.0.2.7:5',
      window: 65_536,
    });
    expect(again.find((frame) => frame.type === FrameType.Data)).to.deep.include({ seq: 0 });
  });

  it('closes a suspended session without a link to close', async () => {
    const { harness } = await running();
    harness.link.end(1006);
    await harness.pump.close(CloseCode.Replaced, 'a newer session');
    expect(harness.told.slice(1)).to.deep.equal([
      'web reset tunnel_lost',
      'ended 4409 by us: a newer session',
    ]);
    expect(harness.clock.pending).to.equal(0);
  });
});
