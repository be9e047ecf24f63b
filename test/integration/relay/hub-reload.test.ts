import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect } from 'chai';
import type { HubConfig } from '../../../config/types.js';
import { freePort } from '../../support/free-port.js';
import { attempt, connectError, expectEcho } from '../../support/tcp-client.js';
import { echo, portOf } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import { listenersOf, Site, siteKeys, useSite } from './site.js';

const at = (port: number): { bind: { host: string; port: number } } => ({
  bind: { host: '127.0.0.1', port },
});

describe('a hub that reloads', () => {
  const held = useSite();

  it('opens what is new, closes what is gone, and the streams of both and of the rest go on', async () => {
    const [one, two, three] = [await freePort(), await freePort(), await freePort()];
    const site = (held.site = await Site.start({ web: at(one), db: at(two) }));
    const { port } = await site.target(echo);
    await site.agent({ web: port, db: port, ssh: port });
    const [web, db] = [await site.client('web'), await site.client('db')];
    await Promise.all([expectEcho(web, 'web'), expectEcho(db, 'db')]);
    const listeners = listenersOf({ web: at(one), ssh: at(three) });
    expect(await site.hub.reload({ ...site.config, listeners })).to.deep.equal({ restartRequired: [] });
    await Promise.all([expectEcho(web, 'web goes on'), expectEcho(db, 'db goes on')]);
    expect(await connectError(two)).to.equal('ECONNREFUSED');
    await expectEcho(await site.client('ssh'), 'the new one');
    expect(site.book.of('listener_stopped')[0]).to.include({ listener: 'db' });
    expect(site.book.of('listener_started').at(-1)).to.include({ listener: 'ssh' });
    expect(await site.scraped('tcp_connections_total', { connector: 'ssh' })).to.equal(1);
  });

  it('puts new rules of a listener in force for new clients only', async () => {
    const one = await freePort();
    const site = (held.site = await Site.start({ web: at(one) }));
    await site.agent({ web: (await site.target(echo)).port });
    const before = await site.client('web');
    await expectEcho(before, 'before');
    const listeners = listenersOf({ web: { ...at(one), allowCidrs: ['192.0.2.0/24'] } });
    await site.hub.reload({ ...site.config, listeners });
    await expectEcho(before, 'still there');
    expect((await attempt(one)).how).to.equal('ECONNRESET');
    expect(site.book.of('cidr_blocked')).to.have.length(1);
  });

  it('leaves everything as it was when a new port cannot be opened', async () => {
    const blocker = createServer().listen({ host: '127.0.0.1', port: 0 });
    await once(blocker, 'listening');
    const [one, two] = [await freePort(), await freePort()];
    const site = (held.site = await Site.start({ web: at(one), db: at(two) }));
    const { port } = await site.target(echo);
    await site.agent({ web: port, db: port });
    const client = await site.client('db');
    await expectEcho(client, 'before');
    const next: HubConfig = {
      ...site.config,
      listeners: listenersOf({ web: { ...at(one), allowCidrs: ['192.0.2.0/24'] }, ssh: at(portOf(blocker)) }),
      limits: { ...site.config.limits, maxConnTotal: 1 },
      security: { ...site.config.security, audience: 'another' },
    };
    const failure: unknown = await site.hub.reload(next).catch((error: unknown) => error);
    blocker.close();
    await once(blocker, 'close');
    expect(failure).to.be.an('error').with.property('name', 'ListenError');
    await expectEcho(client, 'after');
    await expectEcho(await site.client('web'), 'the old rules');
    await expectEcho(await site.client('db'), 'the old port');
    await site.agent({ web: port }, { agentId: 'site-b' });
  });

  it('takes no token under new rules that the old ones took, and leaves the tunnels that are up', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const { port } = await site.target(echo);
    await site.agent({ web: port });
    await site.hub.reload({ ...site.config, security: { ...site.config.security, audience: 'another' } });
    await expectEcho(await site.client('web'), 'the tunnel is up');
    const late = await site.agent({ web: port }, { agentId: 'site-b', noWait: true });
    await late.book.wait('tunnel_rejected', { reason: 'unauthorized' });
    expect(site.book.of('auth_failed')[0]).to.include({ reason: 'wrong_audience' });
    await site.agent({ web: port }, { agentId: 'site-c', token: { audience: 'another' } });
  });

  it('changes limits, log level and PDP, and names what only a restart changes', async () => {
    const site = (held.site = await Site.start({ web: { waitForAgentMs: 0 } }));
    await site.agent({ web: (await site.target(echo)).port });
    const next: HubConfig = {
      ...site.config,
      limits: { ...site.config.limits, maxConnTotal: 0 },
      pdp: { ...site.config.pdp, url: 'http://127.0.0.1:1/access', timeoutMs: 200 },
      observability: { ...site.config.observability, logLevel: 'error', logFormat: 'plain' },
      tunnel: { ...site.config.tunnel, path: '/other' },
    };
    const keys = ['tunnel.path', 'observability.log_format'];
    expect((await site.hub.reload(next)).restartRequired).to.deep.equal(keys);
    expect((await site.hub.reload(next)).restartRequired, 'it is still needed').to.deep.equal(keys);
    expect(site.book.log.isEnabled('warn')).to.equal(false);
    expect((await attempt(site.port('web'))).how).to.equal('ECONNRESET');
    expect(
      await site.scraped('rejected_connections_total', { connector: 'web', reason: 'limit_total' }),
    ).to.equal(1);
    await site.hub.reload({ ...next, limits: site.config.limits });
    expect((await attempt(site.port('web'))).how).to.equal('ECONNRESET');
    expect(await site.scraped('pdp_decisions_total', { connector: 'web', result: 'error_deny' })).to.equal(1);
    expect((await site.hub.reload(site.config)).restartRequired).to.deep.equal([]);
    await expectEcho(await site.client('web'), 'all as before');
  });

  it('says what is wrong with a configuration that it cannot use, and goes on', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    await site.agent({ web: (await site.target(echo)).port });
    const { jwksFile } = await siteKeys();
    const security = { ...site.config.security, jwksFile, jwksUrl: 'http://idp.example.test/keys' };
    const pdp = { ...site.config.pdp, url: 'no url' };
    for (const next of [
      { ...site.config, pdp },
      { ...site.config, security: { ...security, jwksFile: undefined } },
    ]) {
      const failure: unknown = await site.hub.reload(next).catch((error: unknown) => error);
      expect(failure).to.be.an('error');
    }
    await expectEcho(await site.client('web'), 'still there');
    await waitFor('the gauge', async () => (await site.scraped('tunnels')) === 1);
  });
});
