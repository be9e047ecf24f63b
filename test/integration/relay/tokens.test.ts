import { expect } from 'chai';
import { attempt, expectEcho, readToEnd } from '../../support/tcp-client.js';
import { createPki } from '../../support/pki.js';
import { echo } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import { CutProxy } from './cut-proxy.js';
import { Site, targetOf, useSite } from './site.js';

describe('who an agent is', () => {
  const held = useSite();

  it('is decided by its token: a bad one is answered 401, and the agent says what to do', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const agent = await site.agent({ web: 1 }, { token: { ttlSec: -60 }, noWait: true });
    const line = await agent.book.wait('tunnel_rejected', { reason: 'unauthorized' });
    expect(line['hint']).to.be.a('string').with.length.greaterThan(10);
    expect(site.book.of('auth_failed')[0]).to.include({ reason: 'expired' });
    expect(await site.scraped('auth_failures_total', { reason: 'expired' })).to.equal(1);
    expect(await site.scraped('tunnel_connects_total', { result: 'unauthenticated' })).to.equal(1);
    expect(agent.agent.ready).to.equal(false);
  });

  it('is tried again as soon as a good token is in the file', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const agent = await site.agent(
      { web: (await site.target(echo)).port },
      { token: { ttlSec: -60 }, noWait: true },
    );
    await agent.book.wait('tunnel_retry', { why: 'permanent' });
    await agent.renewToken({});
    await agent.ready();
    await expectEcho(await site.client('web'), 'hello');
  });

  it('cannot be another than its token says', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const agent = await site.agent(
      { web: 1 },
      { agentId: 'site-a', token: { agentId: 'site-b' }, noWait: true },
    );
    await agent.book.wait('tunnel_rejected', { reason: 'forbidden' });
    expect(site.book.of('auth_failed')[0]).to.include({ reason: 'hello_mismatch' });
  });

  it('is renewed in the running tunnel when the file changes', async () => {
    const security = { requireConnectorScopes: true };
    const site = (held.site = await Site.start({ web: {}, db: { waitForAgentMs: 8000 } }, { security }));
    const { port } = await site.target(echo);
    const agent = await site.agent({ web: port, db: port }, { token: { connectors: ['web'] } });
    const client = await site.client('web');
    await expectEcho(client, 'before');
    await agent.renewToken({ connectors: ['web', 'db'] });
    await expectEcho(await site.client('db'), 'the fresh token allows it');
    await expectEcho(client, 'after');
    expect(site.book.of('token_changed')).to.have.length(1);
    expect(site.book.of('agent_connected'), 'the same session').to.have.length(1);
  });

  it('is renewed in a session that drains, too: its streams would end with the old one', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const agent = await site.agent({ web: (await site.target(echo)).port });
    const client = await site.client('web');
    await expectEcho(client, 'before');
    const { config } = agent;
    const tunnel = { ...config.tunnel, exportedConnectors: ['web', 'db'] };
    await agent.agent.reload({
      ...config,
      targets: new Map([...config.targets, ['db', targetOf(1)]]),
      tunnel,
    });
    await waitFor('the second session', () => site.book.of('agent_connected').length === 2);
    await agent.renewToken({ ttlSec: 7200 });
    await waitFor('both to be renewed', () => site.book.of('token_changed').length === 2);
    const sessions = site.book.of('token_changed').map(({ session }) => session);
    expect(new Set(sessions).size).to.equal(2);
    await expectEcho(client, 'after');
  });

  it('is said to be nearly over once, however often the agent connects', async () => {
    const site = (held.site = await Site.start({ web: {} }, { tunnel: { resumeGraceSec: 0 } }));
    const proxy = await CutProxy.start(site.hub.tunnelPort);
    try {
      const agent = await site.agent({ web: 1 }, { url: proxy.url, token: { ttlSec: 600 } });
      for (let count = 2; count <= 3; count += 1) {
        proxy.cut();
        await waitFor('the next session', () => agent.book.of('tunnel_connected').length === count);
      }
      expect(agent.book.of('token_expiring')).to.have.length(1);
      await agent.renewToken({ ttlSec: 601 });
      await waitFor('the next token', () => agent.book.of('token_expiring').length === 2);
      await agent.agent.stopNow();
    } finally {
      await proxy.stop();
    }
  });

  it('stays as it was when the fresh token is bad', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const agent = await site.agent({ web: (await site.target(echo)).port });
    const client = await site.client('web');
    await expectEcho(client, 'before');
    await agent.renewToken({ ttlSec: -60 });
    await site.book.wait('auth_failed', { reason: 'expired', agent: 'site-a' });
    await agent.renewToken({ agentId: 'site-b' });
    await site.book.wait('auth_failed', { reason: 'hello_mismatch', agent: 'site-a' });
    await expectEcho(client, 'after');
    await expectEcho(await site.client('web'), 'also for a new stream');
  });

  it('ends for new streams when the token runs out, and running ones go on for a while', async () => {
    const site = (held.site = await Site.start({ web: { waitForAgentMs: 0 } }));
    const agent = await site.agent({ web: (await site.target(echo)).port });
    const client = await site.client('web');
    await expectEcho(client, 'before');
    await agent.renewToken({ ttlSec: 2 });
    await site.book.wait('token_changed');
    await waitFor(
      'the end of the token',
      async () => (await site.scraped('connector_up', { connector: 'web' })) === 0,
    );
    expect((await attempt(site.port('web'))).how).to.equal('ECONNRESET');
    await expectEcho(client, 'still carried');
  });

  it('is the newest with that name: the older session ends with 4409 and its agent waits before it tries again', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const { port } = await site.target(echo);
    const older = await site.agent({ web: port });
    const client = await site.client('web');
    await expectEcho(client, 'before');
    const ending = readToEnd(client);
    await site.agent({ web: port });
    await older.book.wait('tunnel_lost', { code: 4409, by: 'hub' });
    await older.book.wait('tunnel_retry', { why: 'replaced' });
    expect((await ending).how).to.equal('ECONNRESET');
    await expectEcho(await site.client('web'), 'served by the newer one');
    expect(site.book.of('agent_replaced')).to.have.length(1);
    expect(await site.scraped('tunnels')).to.equal(1);
  });
});

describe('a tunnel over TLS', () => {
  const held = useSite();

  it("carries streams when the agent trusts the hub's authority, and says who issued it when not", async () => {
    const [pki, other] = [await createPki(), await createPki()];
    const { certFile, keyFile } = await pki.server('hub');
    const tls = { certFile, keyFile, clientCaFile: undefined, minVersion: 'TLSv1.3' } as const;
    const site = (held.site = await Site.start({ web: {} }, { tunnel: { tls } }));
    const url = `wss://127.0.0.1:${site.hub.tunnelPort}/tunnel`;
    const { port } = await site.target(echo);
    const stranger = await site.agent(
      { web: port },
      { agentId: 'site-b', url, changes: { tunnel: { caFile: other.caFile } }, noWait: true },
    );
    const line = await stranger.book.wait('tunnel_rejected', { reason: 'tls_untrusted' });
    expect(JSON.stringify(line)).to.include('test authority');
    await stranger.agent.stopNow();
    await site.agent({ web: port }, { url, changes: { tunnel: { caFile: pki.caFile } } });
    await expectEcho(await site.client('web'), 'over TLS');
  });
});
