import { expect } from 'chai';
import { TunnelRegistry } from '../../../hub/tunnels/registry.js';
import { CloseCode } from '../../../protocol/index.js';
import type { StreamOwner } from '../../../transport/pump.js';
import { newTunnel } from './tunnels.js';

const lonelyOwner: StreamOwner = {
  onOpened: () => undefined,
  onData: () => undefined,
  onFinished: () => undefined,
  onWritable: () => undefined,
  onReset: () => undefined,
  onClosed: () => undefined,
};

describe('TunnelRegistry', () => {
  it('gives new streams to the tunnels that are there, in the order in which their agents came', () => {
    const registry = new TunnelRegistry();
    const tunnels = ['b', 'a', 'c'].map((agentId) => newTunnel({ agentId }).tunnel);
    for (const tunnel of tunnels) expect(registry.add(tunnel, undefined)).to.equal(undefined);
    expect([...registry.candidates()]).to.deep.equal(tunnels);
    expect(registry.all()).to.deep.equal(tunnels);
    expect(registry.connected).to.equal(3);
  });

  it('puts the newest tunnel of an agent in charge and names the one it replaces', () => {
    const registry = new TunnelRegistry();
    const [older, newer] = [newTunnel().tunnel, newTunnel().tunnel];
    registry.add(older, undefined);
    expect(registry.add(newer, undefined)).to.equal(older);
    expect([...registry.candidates()]).to.deep.equal([newer]);
    expect(registry.all()).to.deep.equal([newer]);
  });

  it('does not lose the newer tunnel to the late end of the older one', () => {
    const registry = new TunnelRegistry();
    const [older, newer] = [newTunnel().tunnel, newTunnel().tunnel];
    registry.add(older, undefined);
    registry.add(newer, undefined);
    expect(registry.remove(older)).to.equal(false);
    expect([...registry.candidates()]).to.deep.equal([newer]);
    expect(registry.remove(newer)).to.equal(true);
    expect(registry.remove(newer)).to.equal(false);
    expect(registry.all()).to.deep.equal([]);
  });

  it('keeps a tunnel beside the one of the same process that names it, without new streams', () => {
    const registry = new TunnelRegistry();
    const older = newTunnel({ sessionId: 'old' });
    const newer = newTunnel({ sessionId: 'new' });
    registry.add(older.tunnel, undefined);
    // No GOAWAY has come: it may have been lost with the link.
    expect(registry.add(newer.tunnel, 'old')).to.equal(undefined);
    expect([...registry.candidates()]).to.deep.equal([newer.tunnel]);
    expect([...registry.retired()]).to.deep.equal([older.tunnel]);
    expect(registry.all()).to.have.members([older.tunnel, newer.tunnel]);
    expect(registry.connected).to.equal(2);
    expect(registry.remove(older.tunnel)).to.equal(true);
    expect(registry.all()).to.deep.equal([newer.tunnel]);
  });

  it('replaces the tunnel of another process, whatever the newer one says', () => {
    const registry = new TunnelRegistry();
    const older = newTunnel({ sessionId: 'old', bootId: 'boot-1' });
    older.harness.pump.drain(CloseCode.Normal, 0);
    registry.add(older.tunnel, undefined);
    expect(registry.add(newTunnel({ bootId: 'boot-2' }).tunnel, 'old')).to.equal(older.tunnel);
    expect([...registry.retired()]).to.deep.equal([]);
  });

  it('replaces a draining tunnel that the newer one does not name: that agent has forgotten it', () => {
    const registry = new TunnelRegistry();
    const older = newTunnel({ sessionId: 'old' });
    older.harness.pump.drain(CloseCode.Normal, 0);
    registry.add(older.tunnel, undefined);
    expect(registry.add(newTunnel().tunnel, 'another')).to.equal(older.tunnel);
  });

  it('knows how many streams of a connector could be begun, and at whom', () => {
    const registry = new TunnelRegistry();
    const made = [
      newTunnel({ agentId: 'roomy', maxStreams: 3 }),
      newTunnel({ agentId: 'full', maxStreams: 0 }),
      newTunnel({ agentId: 'other', connectors: ['db'] }),
      newTunnel({ agentId: 'lost' }),
    ];
    for (const { tunnel } of made) registry.add(tunnel, undefined);
    made[3]?.harness.link.end(1006);
    expect([...registry.freePlaces('web')]).to.deep.equal([['roomy', 3]]);
    made[0]?.tunnel.pump.open('web', '', lonelyOwner);
    expect([...registry.freePlaces('web')]).to.deep.equal([['roomy', 2]]);
  });

  it('finds a session as long as it lives, also without a link, but does not count it as connected', () => {
    const registry = new TunnelRegistry();
    const { tunnel, harness } = newTunnel({ sessionId: 'mine' });
    registry.add(tunnel, undefined);
    expect([registry.has('site-a'), registry.has('site-b')]).to.deep.equal([true, false]);
    harness.link.end(1006);
    expect(registry.has('site-a')).to.equal(true);
    expect(registry.bySession('mine')).to.equal(tunnel);
    expect(registry.bySession('other')).to.equal(undefined);
    expect(registry.connected).to.equal(0);
    registry.remove(tunnel);
    expect(registry.bySession('mine')).to.equal(undefined);
    expect(registry.has('site-a')).to.equal(false);
  });
});
