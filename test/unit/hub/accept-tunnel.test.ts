import { expect } from 'chai';
import { AuthError } from '../../../hub/auth/errors.js';
import type { Identity } from '../../../hub/auth/verify.js';
import { CloseCode, FrameType } from '../../../protocol/index.js';
import { nextTurn } from '../transport/fake-link.js';
import { scraped } from './bench.js';
import { FAR_MS, helloFrame, TunnelBench } from './tunnel-bench.js';

describe('acceptTunnel', () => {
  it('answers HELLO with what this hub is and may route, and puts the tunnel in charge', async () => {
    const bench = new TunnelBench();
    const { link, ack } = await bench.connect();
    expect(ack).to.deep.include({
      hubId: 'hub-1',
      version: '1.2.3',
      features: ['resume'],
      connectors: ['web', 'db'],
      limits: { windowBytes: 65_536, maxStreams: 1000, maxPayload: 65_536 },
      resumed: false,
    });
    expect(ack.resume?.graceMs).to.equal(60_000);
    expect(bench.registry.bySession(ack.sessionId)?.agentId).to.equal('site-a');
    expect(bench.available).to.deep.equal(['web', 'db']);
    expect(bench.book.of('agent_connected')[0]).to.include({
      agent: 'site-a',
      session: ack.sessionId,
      version: '0.9.0',
    });
    expect(await scraped(bench.metrics, 'tunnel_connects_total', { result: 'connected' })).to.equal(1);
    expect(link.closed).to.equal(undefined);
  });

  it('takes only the connectors of the token where scopes are required, and says which it refused', async () => {
    const bench = new TunnelBench({ security: { requireConnectorScopes: true } });
    const { ack } = await bench.connect({}, { connectors: ['db', 'other'] });
    expect(ack.connectors).to.deep.equal(['db']);
    expect(bench.book.of('agent_connected')[0]?.['refused_connectors']).to.deep.equal(['web']);
    expect(bench.available).to.deep.equal(['db']);
  });

  it('never writes a resume token to the log', async () => {
    const bench = new TunnelBench();
    const { ack } = await bench.connect();
    expect(JSON.stringify(bench.book.lines)).to.not.include(ack.resume?.token ?? 'no token');
  });

  describe('turns away', () => {
    it('an agent whose HELLO names another than its token, with 4403', async () => {
      const bench = new TunnelBench();
      const link = bench.link();
      link.arrive(helloFrame({ agentId: 'site-b' }));
      expect(link.closed?.code).to.equal(CloseCode.Forbidden);
      expect(bench.registry.all()).to.deep.equal([]);
      expect(bench.book.of('auth_failed')[0]).to.include({ reason: 'hello_mismatch', hello_agent: 'site-b' });
      expect(await scraped(bench.metrics, 'auth_failures_total', { reason: 'hello_mismatch' })).to.equal(1);
      expect(await scraped(bench.metrics, 'tunnel_connects_total', { result: 'forbidden' })).to.equal(1);
    });

    it('an agent that does not say HELLO within five seconds, with 4408', async () => {
      const bench = new TunnelBench();
      const link = bench.link();
      bench.clock.advance(5000);
      expect(link.closed?.code).to.equal(CloseCode.HandshakeTimeout);
      expect(await scraped(bench.metrics, 'tunnel_connects_total', { result: 'handshake_timeout' })).to.equal(
        1,
      );
    });

    it('an agent that begins with anything else, with 4400', async () => {
      const bench = new TunnelBench();
      const link = bench.link();
      link.arrive({ type: FrameType.Ping, nonce: new Uint8Array(8) });
      expect(link.closed?.code).to.equal(CloseCode.Protocol);
      expect(await scraped(bench.metrics, 'tunnel_connects_total', { result: 'protocol_error' })).to.equal(1);
    });

    it('nobody who has left by himself: that is only written down', () => {
      const bench = new TunnelBench();
      bench.link().end(1006, 'gone');
      expect(bench.book.of('tunnel_rejected')[0]?.['why']).to.equal(
        'the agent left during the handshake: gone',
      );
    });
  });

  describe('a second session of an agent', () => {
    it('replaces the first, which ends with 4409', async () => {
      const bench = new TunnelBench();
      const first = await bench.connect();
      const second = await bench.connect({ bootId: 'boot-2' });
      expect(first.link.closed?.code).to.equal(CloseCode.Replaced);
      expect(bench.registry.all().map(({ sessionId }) => sessionId)).to.deep.equal([second.ack.sessionId]);
      expect(bench.book.of('agent_replaced')[0]).to.include({
        session: first.ack.sessionId,
        by: second.ack.sessionId,
      });
      first.link.end(4409);
      expect(bench.registry.all()).to.have.length(1);
    });

    it('is not begun while the hub drains', async () => {
      const bench = new TunnelBench();
      const link = bench.link();
      // The link was taken before, HELLO comes after.
      bench.draining = true;
      link.arrive(helloFrame());
      await nextTurn();
      expect(link.closed?.code).to.equal(CloseCode.Draining);
      expect(bench.registry.all()).to.deep.equal([]);
      expect(await scraped(bench.metrics, 'tunnel_connects_total', { result: 'draining' })).to.equal(1);
    });

    it('stands beside the first when that one drains and is named', async () => {
      const bench = new TunnelBench();
      const first = await bench.connect();
      first.link.arrive({ type: FrameType.Goaway, code: CloseCode.Normal, graceMs: 0 });
      expect(bench.book.of('goaway_received')[0]).to.include({ agent: 'site-a', code: 1000 });
      const second = await bench.connect({ overlaps: first.ack.sessionId });
      expect(first.link.closed).to.equal(undefined);
      expect(bench.registry.all()).to.have.length(2);
      expect([...bench.registry.candidates()].map(({ sessionId }) => sessionId)).to.deep.equal([
        second.ack.sessionId,
      ]);
    });
  });

  describe('a token in-band', () => {
    const identity: Identity = {
      agentId: 'site-a',
      connectors: ['db'],
      expiresAtMs: FAR_MS * 2,
      tokenId: undefined,
    };

    it('renews the tunnel, with the connectors that it allows', async () => {
      const bench = new TunnelBench({ security: { requireConnectorScopes: true } });
      const { link, ack } = await bench.connect({}, { connectors: ['web'] });
      bench.verify = () => Promise.resolve(identity);
      link.arrive({ type: FrameType.Reauth, token: 'fresh' });
      await nextTurn();
      expect([...(bench.registry.bySession(ack.sessionId)?.connectors ?? [])]).to.deep.equal(['db']);
      expect(bench.book.of('token_changed')).to.have.length(1);
      expect(bench.available).to.deep.equal(['web', 'db']);
    });

    it('has the last word when it came last, however long the one before takes to be verified', async () => {
      const bench = new TunnelBench({ security: { requireConnectorScopes: true } });
      const { link, ack } = await bench.connect({}, { connectors: ['web'] });
      let verifyFirst: (identity: Identity) => void = () => undefined;
      bench.verify = () => new Promise((resolve) => (verifyFirst = resolve));
      link.arrive({ type: FrameType.Reauth, token: 'first' });
      await nextTurn();
      bench.verify = () => Promise.resolve(identity);
      link.arrive({ type: FrameType.Reauth, token: 'second' });
      await nextTurn();
      verifyFirst({ ...identity, connectors: ['web'] });
      await nextTurn();
      expect(bench.book.of('token_changed')).to.have.length(2);
      expect([...(bench.registry.bySession(ack.sessionId)?.connectors ?? [])]).to.deep.equal(['db']);
    });

    for (const [what, verify, reason] of [
      ['of another agent', () => Promise.resolve({ ...identity, agentId: 'site-b' }), 'hello_mismatch'],
      ['that is bad', () => Promise.reject(new AuthError('expired', 'expired')), 'expired'],
    ] as const) {
      it(`${what} is refused, and the one before stays in force`, async () => {
        const bench = new TunnelBench();
        const { link, ack } = await bench.connect();
        bench.verify = verify;
        link.arrive({ type: FrameType.Reauth, token: 'fresh' });
        await nextTurn();
        expect(bench.book.of('auth_failed')[0]).to.include({ reason, session: ack.sessionId });
        expect(await scraped(bench.metrics, 'auth_failures_total', { reason })).to.equal(1);
        const tunnel = bench.registry.bySession(ack.sessionId);
        expect(tunnel?.acceptsNew).to.equal(true);
        expect([...(tunnel?.connectors ?? [])]).to.deep.equal(['web', 'db']);
        expect(link.closed).to.equal(undefined);
      });
    }
  });

  it('refuses a stream that the agent opens', async () => {
    const bench = new TunnelBench();
    const { link } = await bench.connect();
    link.arrive({ type: FrameType.Open, cid: 1, connector: 'web', client: 'x', window: 65_536 });
    await nextTurn();
    expect(link.frames()).to.deep.include({ type: FrameType.Rst, cid: 1, reason: 'denied' });
  });

  it('measures the round trip', async () => {
    const bench = new TunnelBench();
    const link = bench.link();
    link.arrive(helloFrame());
    await nextTurn();
    const ping = link.frames().find((frame) => frame.type === FrameType.Ping);
    if (ping?.type !== FrameType.Ping) throw new Error('no PING');
    link.arrive({ type: FrameType.Pong, nonce: ping.nonce });
    expect(await scraped(bench.metrics, 'tunnel_rtt_seconds_count')).to.equal(1);
  });
});
