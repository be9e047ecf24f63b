import { expect } from 'chai';
import { freePort } from '../../support/free-port.js';
import { startBlackHole } from '../../support/black-hole.js';
import { attempt, exchangeOnce, expectEcho, readToEnd } from '../../support/tcp-client.js';
import { echo, exchange, type ExchangeReport } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import { newMetrics, scraped } from '../../unit/hub/bench.js';
import { Hub } from '../../../hub/hub.js';
import { Site, targetOf, useSite } from './site.js';

const MIB = 1024 * 1024;

describe('a stream from a client to its target', () => {
  const held = useSite();

  it('carries bytes both ways and ends when both have finished; both sides count and log it', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const agent = await site.agent({ web: (await site.target(echo)).port });
    const client = await site.client('web');
    const address = `127.0.0.1:${client.localPort ?? 0}`;
    await expectEcho(client, 'hello');
    client.end();
    expect((await readToEnd(client)).how).to.equal('FIN');
    const bytes = { bytes_c2a: 5, bytes_a2c: 5 };
    const atHub = await site.book.wait('stream_closed', { reason: 'finished', ...bytes });
    const atAgent = await agent.book.wait('stream_closed', { reason: 'finished', ...bytes });
    expect(atHub).to.include({ connector: 'web', agent: 'site-a', client: address });
    expect(atAgent).to.include({ cid: atHub['cid'], connector: 'web', agent: 'site-a', client: address });
    expect((await agent.book.wait('stream_opened', { cid: atHub['cid'] }))['agent']).to.equal('site-a');
    for (const direction of ['c2a', 'a2c']) {
      expect(await site.scraped('tcp_bytes_total', { connector: 'web', direction })).to.equal(5);
    }
    expect(await site.scraped('streams_closed_total', { connector: 'web', reason: 'finished' })).to.equal(1);
    expect(
      await site.scraped('open_duration_seconds_count', { connector: 'web', result: 'opened' }),
    ).to.equal(1);
    expect(await site.scraped('fin_sent_total')).to.equal(1);
  });

  it('is exact for megabytes at once in both directions, several at a time', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const reports = new Map<string, Promise<ExchangeReport>>();
    await site.agent({ web: (await site.target(exchange(reports))).port });
    const port = site.port('web');
    await Promise.all([
      exchangeOnce({ port, upBytes: 3 * MIB, downBytes: 5 * MIB }, reports),
      exchangeOnce({ port, upBytes: 1, downBytes: 4 * MIB, afterFin: true }, reports),
      exchangeOnce({ port, upBytes: 4 * MIB, downBytes: 0, afterTargetFin: true }, reports),
      exchangeOnce({ port, upBytes: 0, downBytes: 0 }, reports),
    ]);
    await waitFor('all to be closed', () => site.book.of('stream_closed').length === 4);
  });

  it('is reset when the target resets, and the log says who it was', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const target = await site.target((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const agent = await site.agent({ web: target.port });
    const client = await site.client('web');
    client.write('x');
    expect((await readToEnd(client)).how).to.equal('ECONNRESET');
    await site.book.wait('stream_closed', { reason: 'reset_by_target' });
    await agent.book.wait('stream_closed', { reason: 'reset_by_target' });
  });

  it('is reset at the target when the client resets', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const endings: Promise<{ how: string }>[] = [];
    const target = await site.target((socket) => {
      socket.write('welcome');
      endings.push(readToEnd(socket));
    });
    await site.agent({ web: target.port });
    const client = await site.client('web');
    client.once('data', () => client.resetAndDestroy());
    await waitFor('the target to be reached', () => endings.length === 1);
    expect((await endings[0])?.how).to.equal('ECONNRESET');
    await site.book.wait('stream_closed', { reason: 'reset_by_client' });
  });

  it('does not open for a connector that the agent does not export: its map is law', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const agent = await site.agent({ web: (await site.target(echo)).port });
    // The tunnel was agreed on with it; the file is changed without a new session.
    const { tunnel } = agent.config;
    (tunnel.exportedConnectors as string[]).splice(0);
    const client = await site.client('web');
    expect((await readToEnd(client)).how).to.equal('ECONNRESET');
    await agent.book.wait('target_failed', { reason: 'unknown_connector', connector: 'web' });
    await site.book.wait('stream_closed', { reason: 'unknown_connector' });
  });

  it('does not open when nothing listens at the target, and both sides say why', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const agent = await site.agent({ web: await freePort() });
    expect((await attempt(site.port('web'))).how).to.equal('ECONNRESET');
    await agent.book.wait('target_failed', { reason: 'connect_refused' });
    await site.book.wait('stream_open_failed', { reason: 'connect_refused', retry: false });
    await site.book.wait('stream_closed', { reason: 'connect_refused' });
    expect(
      await site.scraped('open_duration_seconds_count', { connector: 'web', result: 'refused' }),
    ).to.equal(1);
  });

  it('is given up at once when its client leaves while the target is dialled', async () => {
    const hole = await startBlackHole();
    try {
      const site = (held.site = await Site.start({ web: {} }));
      const agent = await site.agent({ web: targetOf(hole.port, 60_000) });
      const client = await site.client('web');
      await waitFor('the stream', async () => (await scraped(agent.metrics, 'tcp_active_connections')) === 1);
      client.resetAndDestroy();
      await site.book.wait('stream_closed', { reason: 'reset_by_client' });
      await agent.book.wait('stream_closed', { reason: 'reset_by_client' });
    } finally {
      await hole.stop();
    }
  });
});

describe('a hub that cannot start', () => {
  it("says so when a listener's port is in use, and leaves nothing open", async () => {
    const site = await Site.start({ web: {} });
    const bind = { host: '127.0.0.1', port: site.port('web') };
    const config = {
      ...site.config,
      listeners: site.config.listeners.map((listener) => ({ ...listener, bind })),
    };
    const second = new Hub(config, { log: site.book.log, metrics: newMetrics('hub', ['web']), version: '1' });
    const failure = await second.start().catch((error: unknown) => error);
    expect(failure).to.be.an('error').with.property('name', 'ListenError');
    expect(second.statusPort, 'it was open').to.not.equal(0);
    await site.stop();
  });
});
