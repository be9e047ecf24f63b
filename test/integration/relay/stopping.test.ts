import { expect } from 'chai';
import { Agent } from '../../../agent/agent.js';
import { Hub } from '../../../hub/hub.js';
import { attempt, connectError, expectEcho, readToEnd } from '../../support/tcp-client.js';
import { echo, neverRead } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import { LogBook, newMetrics } from '../../unit/hub/bench.js';
import { nextTurn } from '../../unit/transport/fake-link.js';
import { Site, useSite } from './site.js';

/** The status that the hub's own port answers. */
async function readyz(site: Site): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${site.hub.statusPort}/readyz`);
  return `${answer.status} ${await answer.text()}`;
}

describe('a hub that stops', () => {
  const held = useSite();

  it('takes no new client, tells probes and agents, and waits for the stream that finishes', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const agent = await site.agent({ web: (await site.target(echo)).port });
    const client = await site.client('web');
    await expectEcho(client, 'before');
    expect(await readyz(site)).to.equal('200 ready');
    let stopped = false;
    const stopping = site.hub.stop().then(() => (stopped = true));
    expect(await readyz(site)).to.equal('503 draining');
    expect(await connectError(site.port('web'))).to.equal('ECONNREFUSED');
    await agent.book.wait('goaway_received', { code: 4503 });
    await expectEcho(client, 'still carried');
    expect(stopped).to.equal(false);
    client.end();
    expect((await readToEnd(client)).how).to.equal('FIN');
    await stopping;
    expect(site.book.of('drain_timeout')).to.deep.equal([]);
    expect(site.book.lines.at(-1)?.event).to.equal('stopped');
  });

  it('resets the stream that does not finish within the grace', async () => {
    const site = (held.site = await Site.start({ web: {} }, { limits: { drainGraceSec: 0.3 } }));
    await site.agent({ web: (await site.target(echo)).port });
    const client = await site.client('web');
    await expectEcho(client, 'before');
    const ending = readToEnd(client);
    await site.hub.stop();
    expect((await ending).how).to.equal('ECONNRESET');
    expect(site.book.of('drain_timeout')[0]).to.include({ streams: 1 });
    expect(site.book.of('stream_closed')[0]).to.include({ reason: 'draining' });
  });

  it('stops at once when asked again, and gives every caller the same end', async () => {
    const site = (held.site = await Site.start({ web: {} }, { limits: { drainGraceSec: 60 } }));
    await site.agent({ web: (await site.target(echo)).port });
    const client = await site.client('web');
    await expectEcho(client, 'before');
    const ending = readToEnd(client);
    const stopping = site.hub.stop();
    expect(site.hub.stop()).to.equal(stopping);
    await site.hub.stopNow();
    await stopping;
    expect((await ending).how).to.equal('ECONNRESET');
    expect(site.book.of('stopped')).to.have.length(1);
  });

  it('sends the clients away that wait for an agent', async () => {
    const site = (held.site = await Site.start({ web: { waitForAgentMs: 60_000 } }));
    const ending = readToEnd(await site.client('web'));
    await waitFor('the client to wait', async () => (await site.scraped('tcp_active_connections')) === 1);
    await site.hub.stopNow();
    expect((await ending).how).to.equal('ECONNRESET');
  });

  it('ends its tunnels with 4503', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const agent = await site.agent({ web: 1 });
    await site.hub.stopNow();
    await agent.book.wait('tunnel_lost', { code: 4503, by: 'hub' });
    expect(agent.agent.ready).to.equal(false);
  });
});

describe('an agent that stops', () => {
  const held = useSite();

  it('lets the running stream finish and takes no other', async () => {
    const site = (held.site = await Site.start({ web: { waitForAgentMs: 0 } }));
    const { agent } = await site.agent({ web: (await site.target(echo)).port });
    const client = await site.client('web');
    await expectEcho(client, 'before');
    let stopped = false;
    const stopping = agent.stop().then(() => (stopped = true));
    expect(agent.ready).to.equal(false);
    await site.book.wait('goaway_received', { code: 4503 });
    expect((await attempt(site.port('web'))).how).to.equal('ECONNRESET');
    await expectEcho(client, 'still carried');
    expect(stopped).to.equal(false);
    client.end();
    expect((await readToEnd(client)).how).to.equal('FIN');
    await stopping;
    await site.book.wait('agent_disconnected', { by: 'agent', why: 'the agent is shutting down' });
  });

  it('resets what runs when it has to stop at once', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const { agent, book } = await site.agent({ web: (await site.target(echo)).port });
    const client = await site.client('web');
    await expectEcho(client, 'before');
    const ending = readToEnd(client);
    const stopping = agent.stop();
    await agent.stopNow();
    await stopping;
    expect((await ending).how).to.equal('ECONNRESET');
    expect(book.of('drain_timeout')[0]).to.include({ streams: 1 });
    await site.book.wait('stream_closed', { reason: 'draining' });
  });

  it('stops while it waits for a hub that is not there', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const { agent, book } = await site.agent({ web: 1 }, { url: 'ws://127.0.0.1:1/tunnel', noWait: true });
    await book.wait('tunnel_retry');
    expect(book.of('tunnel_rejected')[0]).to.include({ reason: 'connect_refused' });
    await agent.stop();
    expect(book.lines.at(-1)?.event).to.equal('stopped');
  });

  it('says so when a port of its own is in use, and leaves nothing open', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const { agent } = await site.agent({ web: 1 });
    const changes = { observability: { healthPort: agent.healthPort } };
    const failure: unknown = await site
      .agent({ web: 1 }, { agentId: 'site-b', changes, noWait: true })
      .catch((error: unknown) => error);
    expect(failure).to.be.an('error').with.property('message').that.includes(`${agent.healthPort}`);
  });
});

describe('a daemon that is stopped while it starts', () => {
  const held = useSite();
  beforeEach(async () => {
    held.site = await Site.start({ web: {} });
  });

  const fails = (work: Promise<void>): Promise<string> =>
    work.then(
      () => 'it started',
      (error: unknown) => String(error),
    );

  /** Stops it so many turns of the event loop after it began to start, when something may be half open. */
  async function atEachTurn(make: () => Hub | Agent): Promise<Set<string>> {
    const ends = new Set<string>();
    for (const turns of [0, 1, 2, 3, 4, 5, 6, 8, 10, 20, 40, 80]) {
      const daemon = make();
      const starting = fails(daemon.start());
      for (let turn = 0; turn < turns; turn += 1) await nextTurn();
      await daemon.stopNow();
      ends.add(await starting);
    }
    return ends;
  }

  it('is a hub that leaves nothing open', async () => {
    const { config } = held.site;
    const ends = await atEachTurn(
      () => new Hub(config, { log: new LogBook('hub').log, metrics: newMetrics('hub', []), version: '1' }),
    );
    expect(ends).to.include('Error: the hub was stopped while it started');
  });

  it('is an agent that leaves nothing open', async () => {
    const { config } = await held.site.agent({ web: 1 });
    const own = { ...config, tunnel: { ...config.tunnel, url: 'ws://127.0.0.1:1/tunnel' } };
    const ends = await atEachTurn(
      () => new Agent(own, { log: new LogBook('agent').log, metrics: newMetrics('agent', []), version: '1' }),
    );
    expect(ends).to.include('Error: the agent was stopped while it started');
  });

  it('does not wait for keys that do not come', async () => {
    const silent = await held.site.target(neverRead);
    const jwksUrl = `http://127.0.0.1:${silent.port}/jwks.json`;
    const { security } = held.site.config;
    const config = { ...held.site.config, security: { ...security, jwksFile: undefined, jwksUrl } };
    const hub = new Hub(config, {
      log: new LogBook('hub').log,
      metrics: newMetrics('hub', []),
      version: '1',
    });
    const starting = fails(hub.start());
    await waitFor('the keys to be asked for', () => silent.accepted === 1);
    const startedMs = performance.now();
    await hub.stopNow();
    expect(performance.now() - startedMs).to.be.below(1000);
    expect(await starting).to.include('stopped while it started');
  });
});
