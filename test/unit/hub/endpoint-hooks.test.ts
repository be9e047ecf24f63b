import { expect } from 'chai';
import { endpointHooks } from '../../../hub/endpoint-hooks.js';
import { AuthError } from '../../../hub/auth/errors.js';
import { TunnelRegistry } from '../../../hub/tunnels/registry.js';
import { FakeClock } from '../agent/fake-clock.js';
import { hubConfig, LogBook, newMetrics, scraped } from './bench.js';
import { newTunnel } from './tunnels.js';

describe('what the tunnel endpoint does with agents', () => {
  const identity = { agentId: 'site-a', connectors: undefined, expiresAtMs: 1e15, tokenId: undefined };

  function make() {
    const state = { draining: false };
    const book = new LogBook('hub');
    const metrics = newMetrics('hub', ['web']);
    const registry = new TunnelRegistry();
    const hooks = endpointHooks({
      clock: new FakeClock(),
      log: book.log,
      metrics,
      registry,
      processBudget: { heldBytes: 0, limitBytes: 1e9 },
      hubId: 'hub-1',
      version: '1.2.3',
      config: () => hubConfig(),
      verify: () => Promise.resolve(identity),
      draining: () => state.draining,
      onAvailable: () => undefined,
    });
    const connects = (result: string): Promise<number> =>
      scraped(metrics, 'tunnel_connects_total', { result });
    return { state, book, metrics, registry, hooks, connects };
  }

  it('takes anybody until the hub drains, and then only whose session is here', () => {
    const { state, registry, hooks } = make();
    expect(hooks.draining(identity)).to.equal(false);
    state.draining = true;
    expect(hooks.draining(identity)).to.equal(true);
    registry.add(newTunnel().tunnel, undefined);
    expect(hooks.draining(identity)).to.equal(false);
    expect(hooks.draining({ ...identity, agentId: 'site-b' })).to.equal(true);
  });

  it('counts who is turned away by why', async () => {
    const { state, book, hooks, connects } = make();
    hooks.onRejected(503, 'too many upgrades at once', '192.0.2.1');
    expect(await connects('limit')).to.equal(1);
    state.draining = true;
    hooks.onRejected(503, 'the hub is draining', '192.0.2.1');
    expect(await connects('draining')).to.equal(1);
    hooks.onRejected(400, 'the subprotocol is not offered', '192.0.2.1');
    expect(await connects('protocol_error')).to.equal(1);
    expect(book.of('tunnel_rejected').map(({ status }) => status)).to.deep.equal([503, 503, 400]);
  });

  it('counts and names whoever had to go as too many were no tunnel yet', async () => {
    const { book, hooks, connects } = make();
    hooks.onCrowded('192.0.2.1');
    expect(await connects('limit')).to.equal(1);
    expect(book.of('tunnel_rejected')[0]).to.include({ remote: '192.0.2.1' });
  });

  it('counts a bad token, and says which', async () => {
    const { book, metrics, hooks, connects } = make();
    hooks.onAuthFailed(new AuthError('expired', 'over'), '192.0.2.1');
    expect(await connects('unauthenticated')).to.equal(1);
    expect(await scraped(metrics, 'auth_failures_total', { reason: 'expired' })).to.equal(1);
    expect(book.of('auth_failed')[0]).to.include({ reason: 'expired', detail: 'over', remote: '192.0.2.1' });
  });
});
