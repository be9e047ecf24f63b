import { expect } from 'chai';
import { CloseCode, FrameType } from '../../../protocol/index.js';
import { newMetrics, scraped } from './bench.js';
import { newTunnel } from './tunnels.js';

const EXP_MS = 1_000_000;
const END_OF_TABLE = {
  type: FrameType.Sync,
  cid: 0,
  opened: false,
  closed: false,
  reason: undefined,
  received: 0,
  consumed: 0,
  limit: 0,
} as const;

describe('Tunnel', () => {
  it('takes new streams while it is up', () => {
    const { tunnel } = newTunnel();
    expect(tunnel.acceptsNew).to.equal(true);
    expect(tunnel.activeStreams).to.equal(0);
  });

  it('takes none without a link, nor before the tables are exchanged on the next one', () => {
    const { tunnel, harness } = newTunnel();
    harness.link.end(1006);
    expect(tunnel.acceptsNew).to.equal(false);
    const link = harness.resume();
    expect(tunnel.acceptsNew, 'a client would be turned away now').to.equal(false);
    link.arrive(END_OF_TABLE);
    expect(tunnel.acceptsNew).to.equal(true);
  });

  it('takes none while it drains', () => {
    const { tunnel, harness } = newTunnel();
    harness.pump.drain(CloseCode.Draining, 1000);
    expect(tunnel.acceptsNew).to.equal(false);
  });

  it('takes none after its end', () => {
    const { tunnel, harness } = newTunnel();
    void harness.pump.close(CloseCode.Normal, 'over');
    expect(tunnel.acceptsNew).to.equal(false);
  });

  it('takes none beyond its limit', () => {
    const { tunnel, harness } = newTunnel({ maxStreams: 2 });
    harness.pump.open('web', '192.0.2.7:5', harness.owner('a'));
    expect(tunnel.acceptsNew).to.equal(true);
    harness.pump.open('web', '192.0.2.7:6', harness.owner('b'));
    expect(tunnel.activeStreams).to.equal(2);
    expect(tunnel.acceptsNew).to.equal(false);
  });

  it('takes none from the moment at which the token expires, and is overdue a minute later', () => {
    const made = newTunnel({ expiresAtMs: EXP_MS });
    made.wallMs = EXP_MS - 1;
    expect([made.tunnel.acceptsNew, made.tunnel.expired, made.tunnel.overdue]).to.deep.equal([
      true,
      false,
      false,
    ]);
    made.wallMs = EXP_MS;
    expect([made.tunnel.acceptsNew, made.tunnel.expired, made.tunnel.overdue]).to.deep.equal([
      false,
      true,
      false,
    ]);
    made.wallMs = EXP_MS + 59_999;
    expect(made.tunnel.overdue).to.equal(false);
    made.wallMs = EXP_MS + 60_000;
    expect(made.tunnel.overdue).to.equal(true);
  });

  it('goes on with a fresh token, with the connectors of that one', () => {
    const made = newTunnel({ expiresAtMs: EXP_MS, connectors: ['web', 'db'] });
    made.wallMs = EXP_MS + 1;
    made.tunnel.renew(EXP_MS * 2, ['db']);
    expect(made.tunnel.acceptsNew).to.equal(true);
    expect([...made.tunnel.connectors]).to.deep.equal(['db']);
    made.wallMs = EXP_MS * 2;
    expect(made.tunnel.expired).to.equal(true);
  });

  it('adds what its session counted to the metrics, each time what is new', async () => {
    const { tunnel, harness } = newTunnel();
    const metrics = newMetrics('hub', ['web']);
    const open = (): void => {
      const handle = harness.pump.open('web', '192.0.2.7:5', harness.owner('a'));
      if (typeof handle !== 'string') handle.reset('internal');
    };
    open();
    tunnel.tellCounts(metrics);
    open();
    open();
    tunnel.tellCounts(metrics);
    tunnel.tellCounts(metrics);
    expect(await scraped(metrics, 'rst_sent_total')).to.equal(3);
  });
});
