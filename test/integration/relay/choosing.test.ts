import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { expect } from 'chai';
import { freePort } from '../../support/free-port.js';
import { startBlackHole } from '../../support/black-hole.js';
import { attempt, expectEcho } from '../../support/tcp-client.js';
import { echo, portOf } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import { CutProxy } from './cut-proxy.js';
import { Site, targetOf, useSite } from './site.js';

/** A policy decision point whose answers the test gives. */
class TestPdp {
  readonly asked: unknown[] = [];
  readonly #server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (part: string) => (body += part));
    request.once('end', () => {
      this.asked.push(JSON.parse(body));
      this.onAsked(response);
    });
  });
  onAsked: (response: ServerResponse) => void = () => undefined;

  static answer(response: ServerResponse, decision: boolean): void {
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('Connection', 'close');
    response.end(JSON.stringify({ decision }));
  }

  async start(): Promise<string> {
    this.#server.listen({ host: '127.0.0.1', port: 0 });
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${portOf(this.#server)}/access`;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

describe('the agent that serves a client', () => {
  const held = useSite();

  it('is the one with the fewest streams', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const target = await site.target(echo);
    for (const agentId of ['site-a', 'site-b']) await site.agent({ web: target.port }, { agentId });
    for (let count = 0; count < 6; count += 1) await expectEcho(await site.client('web'), `client ${count}`);
    const served = site.book.of('stream_opened').map(({ agent }) => agent);
    expect(served.filter((agent) => agent === 'site-a')).to.have.length(3);
    expect(served.filter((agent) => agent === 'site-b')).to.have.length(3);
  });

  it('is free again as soon as a stream has ended, for the client that waits', async () => {
    const site = (held.site = await Site.start({ web: { waitForAgentMs: 20_000 } }));
    const { port } = await site.target(echo);
    await site.agent({ web: port }, { changes: { limits: { maxInflightCids: 2 } } });
    const first = [await site.client('web'), await site.client('web')];
    for (const client of first) await expectEcho(client, 'before');
    const waiting = ['one', 'two', 'three'].map(async (name) => {
      const client = await site.client('web');
      await expectEcho(client, name);
      client.end();
    });
    await waitFor('all to be there', async () => (await site.scraped('tcp_active_connections')) === 5);
    const startedMs = performance.now();
    first[0]?.resetAndDestroy();
    await Promise.all(waiting);
    expect(performance.now() - startedMs).to.be.below(5000);
    expect(site.book.of('no_agent_for_connector')).to.deep.equal([]);
  });

  it('is not another that has a place meanwhile, when the listener names one that is full', async () => {
    const site = (held.site = await Site.start({ web: { agents: ['site-a'], waitForAgentMs: 20_000 } }));
    const { port } = await site.target(echo);
    await site.agent({ web: port }, { changes: { limits: { maxInflightCids: 1 } } });
    await site.agent({ web: port }, { agentId: 'site-b' });
    const first = await site.client('web');
    await expectEcho(first, 'before');
    const waiting = expectEcho(await site.client('web'), 'in turn');
    await waitFor('both to be there', async () => (await site.scraped('tcp_active_connections')) === 2);
    first.destroy();
    await waiting;
    expect(site.book.of('stream_opened').map(({ agent }) => agent)).to.deep.equal(['site-a', 'site-a']);
  });

  it('is only one that the listener names', async () => {
    const site = (held.site = await Site.start({ web: { agents: ['site-b'] } }));
    const target = await site.target(echo);
    for (const agentId of ['site-a', 'site-b']) await site.agent({ web: target.port }, { agentId });
    for (let count = 0; count < 3; count += 1) await expectEcho(await site.client('web'), `client ${count}`);
    expect(new Set(site.book.of('stream_opened').map(({ agent }) => agent))).to.deep.equal(
      new Set(['site-b']),
    );
  });

  it('is only one whose token allows the connector, where scopes are required', async () => {
    const security = { requireConnectorScopes: true };
    const site = (held.site = await Site.start({ web: { waitForAgentMs: 0 } }, { security }));
    const target = await site.target(echo);
    const agent = await site.agent({ web: target.port }, { token: { connectors: ['db'] } });
    expect((await attempt(site.port('web'))).how).to.equal('ECONNRESET');
    expect(agent.book.of('tunnel_connected')[0]?.['refused_connectors']).to.deep.equal(['web']);
  });

  it('is another when the target cannot be reached from the first, and that one gets the early bytes too', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const good = await site.target(echo);
    await site.agent({ web: await freePort() }, { agentId: 'site-a' });
    await site.agent({ web: good.port }, { agentId: 'site-b' });
    // Each of the two may be the first in turn.
    for (const words of ['one', 'two']) {
      const client = await site.client('web');
      await expectEcho(client, `${words} was sent before any target was there`);
      await expectEcho(client, 'and it goes on');
    }
    expect(site.book.of('stream_open_failed')[0]).to.include({
      agent: 'site-a',
      reason: 'connect_refused',
      retry: true,
    });
    expect(new Set(site.book.of('stream_opened').map(({ agent }) => agent))).to.deep.equal(
      new Set(['site-b']),
    );
  });

  it('is the next when there is none left: the client is reset with what the last one said', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const nobody = await freePort();
    for (const agentId of ['site-a', 'site-b']) await site.agent({ web: nobody }, { agentId });
    expect((await attempt(site.port('web'))).how).to.equal('ECONNRESET');
    expect(site.book.of('stream_open_failed').map(({ retry }) => retry)).to.deep.equal([true, false]);
    await site.book.wait('stream_closed', { reason: 'connect_refused' });
  });
});

describe('a client without an agent', () => {
  const held = useSite();

  it('is reset when none comes in time, and the log says that none serves the connector', async () => {
    const site = (held.site = await Site.start({ web: { waitForAgentMs: 150 } }));
    const startedMs = performance.now();
    expect((await attempt(site.port('web'))).how).to.equal('ECONNRESET');
    expect(performance.now() - startedMs).to.be.within(140, 2000);
    expect(site.book.of('no_agent_for_connector')[0]).to.include({
      connector: 'web',
      why: 'no agent serves this connector',
    });
    expect(
      await site.scraped('rejected_connections_total', { connector: 'web', reason: 'no_agent' }),
    ).to.equal(1);
    expect(
      await site.scraped('open_duration_seconds_count', { connector: 'web', result: 'no_agent' }),
    ).to.equal(1);
  });

  it('is served when one comes in time, with what it said meanwhile', async () => {
    const site = (held.site = await Site.start({ web: { waitForAgentMs: 8000 } }));
    const client = await site.client('web');
    const echoed = expectEcho(client, 'said before any agent was there');
    await waitFor('the client to wait', async () => (await site.scraped('tcp_active_connections')) === 1);
    await site.agent({ web: (await site.target(echo)).port });
    await echoed;
  });

  it('is not left behind by the OPEN deadline while it waits: that begins with an agent', async () => {
    const site = (held.site = await Site.start(
      { web: { waitForAgentMs: 8000 } },
      { limits: { connectTimeoutMs: 1000 } },
    ));
    const client = await site.client('web');
    const echoed = expectEcho(client, 'patience');
    await new Promise((resolve) => setTimeout(resolve, 1200));
    await site.agent({ web: (await site.target(echo)).port });
    await echoed;
  });

  it('is told that the agents are full when that is why', async () => {
    const limits = { maxStreamsPerTunnel: 1 };
    const site = (held.site = await Site.start({ web: { waitForAgentMs: 50 } }, { limits }));
    await site.agent({ web: (await site.target(echo)).port });
    await expectEcho(await site.client('web'), 'the only one');
    expect((await attempt(site.port('web'))).how).to.equal('ECONNRESET');
    expect(site.book.of('no_agent_for_connector')[0]?.['why']).to.match(/limit/);
  });
});

describe('a client whose target does not answer', () => {
  const held = useSite();

  it('is reset at the OPEN deadline of the hub, and the agent gives up its dial', async () => {
    const hole = await startBlackHole();
    try {
      const site = (held.site = await Site.start({ web: {} }, { limits: { connectTimeoutMs: 200 } }));
      const agent = await site.agent({ web: targetOf(hole.port, 60_000) });
      expect((await attempt(site.port('web'))).how).to.equal('ECONNRESET');
      await site.book.wait('stream_closed', { reason: 'connect_timeout' });
      await agent.book.wait('stream_closed', { reason: 'connect_timeout' });
      expect(
        await site.scraped('open_duration_seconds_count', { connector: 'web', result: 'timeout' }),
      ).to.equal(1);
    } finally {
      await hole.stop();
    }
  });
});

describe('a client that the PDP is asked about', () => {
  let pdp: TestPdp;
  beforeEach(() => {
    pdp = new TestPdp();
  });
  // Before the site, so that the check for what is left finds nothing of it.
  afterEach(() => pdp.stop());
  const held = useSite();

  it('is served when it says yes, and asked about with agent, connector and address', async () => {
    pdp.onAsked = (response) => TestPdp.answer(response, true);
    const site = (held.site = await Site.start({ web: {} }, { pdp: { url: await pdp.start() } }));
    await site.agent({ web: (await site.target(echo)).port });
    await expectEcho(await site.client('web'), 'allowed');
    expect(JSON.stringify(pdp.asked)).to.include('site-a').and.include('web').and.include('127.0.0.1');
    expect(await site.scraped('pdp_decisions_total', { connector: 'web', result: 'allow' })).to.equal(1);
  });

  it('is reset when it says no, and no target hears of it', async () => {
    pdp.onAsked = (response) => TestPdp.answer(response, false);
    const site = (held.site = await Site.start({ web: {} }, { pdp: { url: await pdp.start() } }));
    const target = await site.target(echo);
    await site.agent({ web: target.port });
    expect((await attempt(site.port('web'))).how).to.equal('ECONNRESET');
    expect(target.accepted).to.equal(0);
    expect(site.book.of('pdp_denied')[0]).to.include({ connector: 'web', agent: 'site-a', result: 'deny' });
    expect(await site.scraped('rejected_connections_total', { connector: 'web', reason: 'pdp' })).to.equal(1);
  });

  it('is reset when there is no answer: deny on any doubt', async () => {
    const site = (held.site = await Site.start(
      { web: {} },
      { pdp: { url: await pdp.start(), timeoutMs: 100 } },
    ));
    await site.agent({ web: (await site.target(echo)).port });
    expect((await attempt(site.port('web'))).how).to.equal('ECONNRESET');
    expect(site.book.of('pdp_denied')[0]).to.include({ result: 'error_deny' });
  });

  it('is reset at the OPEN deadline when it thinks for too long', async () => {
    const site = (held.site = await Site.start(
      { web: {} },
      { pdp: { url: await pdp.start(), timeoutMs: 5000 }, limits: { connectTimeoutMs: 150 } },
    ));
    await site.agent({ web: (await site.target(echo)).port });
    expect((await attempt(site.port('web'))).how).to.equal('ECONNRESET');
    expect(site.book.of('pdp_denied')).to.deep.equal([]);
  });

  it('waits for the agent when its link was lost meanwhile', async () => {
    let answer: (() => void) | undefined;
    pdp.onAsked = (response) => (answer = () => TestPdp.answer(response, true));
    const site = (held.site = await Site.start(
      { web: { waitForAgentMs: 8000 } },
      { pdp: { url: await pdp.start(), timeoutMs: 5000 } },
    ));
    const proxy = await CutProxy.start(site.hub.tunnelPort);
    try {
      await site.agent({ web: (await site.target(echo)).port }, { url: proxy.url });
      const echoed = expectEcho(await site.client('web'), 'still served');
      const allow = await waitFor('the question', () => answer);
      pdp.onAsked = (response) => TestPdp.answer(response, true);
      proxy.closed = true;
      proxy.cut();
      await site.book.wait('session_suspended');
      allow();
      await waitFor(
        'the answer to be heard',
        async () => (await site.scraped('pdp_decisions_total', { result: 'allow' })) === 1,
      );
      proxy.closed = false;
      await echoed;
    } finally {
      for (const { agent } of site.agents) await agent.stopNow();
      await proxy.stop();
    }
  });
});
