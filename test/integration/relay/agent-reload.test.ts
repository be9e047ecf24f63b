import { expect } from 'chai';
import { expectEcho, readToEnd } from '../../support/tcp-client.js';
import { echo } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import { CutProxy } from './cut-proxy.js';
import { Site, siteKeys, targetOf, useSite } from './site.js';

describe('an agent that reloads', () => {
  const held = useSite();

  it('moves to a fresh session with its new connectors, while the running stream goes on', async () => {
    const site = (held.site = await Site.start({ web: {}, db: { waitForAgentMs: 8000 } }));
    const { port } = await site.target(echo);
    const { agent, config, book } = await site.agent({ web: port });
    const client = await site.client('web');
    await expectEcho(client, 'before');
    const first = site.book.of('agent_connected')[0]?.['session'];
    const targets = new Map([...config.targets, ['db', targetOf(port)]]);
    const tunnel = { ...config.tunnel, exportedConnectors: ['web', 'db'] };
    expect(await agent.reload({ ...config, targets, tunnel })).to.deep.equal({ restartRequired: [] });
    await expectEcho(await site.client('db'), 'the new connector');
    await expectEcho(client, 'on the old session');
    expect(site.book.of('agent_replaced')).to.deep.equal([]);
    expect(book.of('tunnel_connected')).to.have.length(2);
    expect(await site.scraped('tunnels')).to.equal(2);
    client.end();
    expect((await readToEnd(client)).how).to.equal('FIN');
    await site.book.wait('agent_disconnected', { session: first, why: 'its streams have finished' });
    expect(await site.scraped('tunnels')).to.equal(1);
  });

  it('dials new targets for new streams without a new session', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const [one, two] = [await site.target(echo), await site.target(echo)];
    const { agent, config, book } = await site.agent({ web: one.port });
    const client = await site.client('web');
    await expectEcho(client, 'before');
    await agent.reload({ ...config, targets: new Map([['web', targetOf(two.port)]]) });
    await expectEcho(await site.client('web'), 'after');
    await expectEcho(client, 'still there');
    expect([one.accepted, two.accepted]).to.deep.equal([1, 1]);
    expect(book.of('tunnel_connected')).to.have.length(1);
  });

  it('names the ports that only a restart changes', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const { agent, config, book } = await site.agent({ web: 1 });
    const observability = {
      ...config.observability,
      healthHost: '127.0.0.2',
      metricsPort: 9999,
      logLevel: 'error' as const,
      logFormat: 'plain' as const,
    };
    expect((await agent.reload({ ...config, observability })).restartRequired).to.deep.equal([
      'observability.health_host',
      'observability.metrics_port',
      'observability.log_format',
    ]);
    expect(book.log.isEnabled('warn')).to.equal(false);
    expect((await agent.reload(config)).restartRequired).to.deep.equal([]);
  });

  it('dials at once with the new address when it was waiting for the next attempt', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const one = await site.agent(
      { web: (await site.target(echo)).port },
      { url: 'ws://127.0.0.1:1/tunnel', noWait: true },
    );
    await one.book.wait('tunnel_retry');
    await one.agent.reload({ ...one.config, tunnel: { ...one.config.tunnel, url: site.url } });
    await one.ready();
    await expectEcho(await site.client('web'), 'hello');
  });

  it('watches another token file', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const { agent, config } = await site.agent({ web: 1 });
    const tokenFile = await (await siteKeys()).tokenFile();
    await agent.reload({ ...config, tunnel: { ...config.tunnel, tokenFile } });
    await waitFor('the second session', () => site.book.of('agent_connected').length === 2);
    expect(site.book.of('auth_failed')).to.deep.equal([]);
  });

  it('offers its new connectors also when the link was lost at that moment', async () => {
    const site = (held.site = await Site.start({ web: {}, db: { waitForAgentMs: 8000 } }));
    const proxy = await CutProxy.start(site.hub.tunnelPort);
    try {
      const { port } = await site.target(echo);
      const one = await site.agent({ web: port }, { url: proxy.url });
      proxy.closed = true;
      proxy.cut();
      await one.book.wait('session_suspended');
      const targets = new Map([...one.config.targets, ['db', targetOf(port)]]);
      const tunnel = { ...one.config.tunnel, exportedConnectors: ['web', 'db'] };
      await one.agent.reload({ ...one.config, targets, tunnel });
      proxy.closed = false;
      await expectEcho(await site.client('db'), 'the new connector');
    } finally {
      for (const { agent } of site.agents) await agent.stopNow();
      await proxy.stop();
    }
  });
});
