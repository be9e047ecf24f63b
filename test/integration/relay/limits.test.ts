import type { Socket } from 'node:net';
import { expect } from 'chai';
import { freePort } from '../../support/free-port.js';
import { attempt, expectEcho, readToEnd } from '../../support/tcp-client.js';
import { echo } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import { NO_PROXY } from '../../unit/hub-listeners/listener-config.js';
import { Site, useSite } from './site.js';

const MIB = 1024 * 1024;

describe('the limits of a hub', () => {
  const held = useSite();

  it('max_conn_total turns the next client away and lets it in when one has gone', async () => {
    const site = (held.site = await Site.start({ web: {} }, { limits: { maxConnTotal: 1 } }));
    await site.agent({ web: (await site.target(echo)).port });
    const first = await site.client('web');
    await expectEcho(first, 'the only one');
    expect((await attempt(site.port('web'))).how).to.equal('ECONNRESET');
    expect(
      await site.scraped('rejected_connections_total', { connector: 'web', reason: 'limit_total' }),
    ).to.equal(1);
    first.end();
    await readToEnd(first);
    await waitFor('the place', async () => (await site.scraped('tcp_active_connections')) === 0);
    await expectEcho(await site.client('web'), 'the next one');
  });

  it('idle_timeout resets a stream on which nothing moves, on both sides', async () => {
    const site = (held.site = await Site.start({ web: { idleTimeoutMs: 300 } }));
    const target = await site.target(echo);
    await site.agent({ web: target.port });
    const client = await site.client('web');
    await expectEcho(client, 'and then silence');
    expect((await readToEnd(client)).how).to.equal('ECONNRESET');
    await site.book.wait('stream_closed', { reason: 'idle_timeout' });
    await waitFor('the target to be left', () => target.sockets.size === 0);
  });

  it('max_window_bytes of 32 MiB is what a stream may have in flight, because the agent goes along', async () => {
    const limits = { windowBytes: 32 * MIB, maxWindowBytes: 32 * MIB };
    const site = (held.site = await Site.start({ web: {} }, { limits }));
    const endless = (socket: Socket): void => {
      const more = (): void => {
        while (socket.write(Buffer.alloc(MIB)));
      };
      socket.on('drain', more);
      more();
    };
    await site.agent({ web: (await site.target(endless)).port });
    const client = await site.client('web');
    client.pause();
    // What the client's kernel did not take.
    await waitFor('the window to be full', async () => (await site.scraped('buffered_bytes')) > 24 * MIB, {
      timeoutMs: 8000,
    });
    expect(await site.scraped('buffered_bytes')).to.be.at.most(32 * MIB);
  });

  it('the agent has an idle timeout of its own', async () => {
    const site = (held.site = await Site.start({ web: {} }));
    const changes = { limits: { idleTimeoutMs: 300 } };
    const agent = await site.agent({ web: (await site.target(echo)).port }, { changes });
    const client = await site.client('web');
    await expectEcho(client, 'and then silence');
    expect((await readToEnd(client)).how).to.equal('ECONNRESET');
    await agent.book.wait('stream_closed', { reason: 'idle_timeout' });
  });
});

describe('the PROXY protocol', () => {
  const held = useSite();

  /** A target that keeps what it is told, as text. */
  async function told(site: Site): Promise<{ port: number; text: () => string }> {
    let text = '';
    const { port } = await site.target((socket) =>
      socket.on('data', (data: Buffer) => (text += data.toString('latin1'))),
    );
    return { port, text: () => text };
  }

  it('tells the target who the client is, before the client says a word', async () => {
    const site = (held.site = await Site.start({ web: { proxyProtocol: { ...NO_PROXY, send: 'v1' } } }));
    const target = await told(site);
    await site.agent({ web: target.port });
    const client = await site.client('web');
    const header = `PROXY TCP4 127.0.0.1 127.0.0.1 ${client.localPort ?? 0} ${site.port('web')}\r\n`;
    client.write('hello');
    await waitFor('all of it', () => target.text().endsWith('hello'));
    expect(target.text()).to.equal(`${header}hello`);
  });

  it('hands the client of a trusted proxy on, end to end, with what came behind the header', async () => {
    const proxyProtocol = { accept: 'v1', trustedCidrs: ['127.0.0.1/32'], send: 'v1' } as const;
    const site = (held.site = await Site.start({ web: { proxyProtocol } }));
    const target = await told(site);
    await site.agent({ web: target.port });
    const client = await site.client('web');
    const header = 'PROXY TCP4 198.51.100.7 203.0.113.9 40000 443\r\n';
    client.write(`${header}hello`);
    await waitFor('all of it', () => target.text().endsWith('hello'));
    expect(target.text()).to.equal(`${header}hello`);
    expect(site.book.of('stream_opened')[0]).to.include({ client: '198.51.100.7:40000' });
  });

  it('repeats header and early bytes to the second agent when the first cannot reach its target', async () => {
    const site = (held.site = await Site.start({ web: { proxyProtocol: { ...NO_PROXY, send: 'v1' } } }));
    const target = await told(site);
    await site.agent({ web: await freePort() }, { agentId: 'site-a' });
    await site.agent({ web: target.port }, { agentId: 'site-b' });
    const client = await site.client('web');
    client.write('hello');
    await waitFor('all of it', () => target.text().endsWith('hello'));
    expect(target.text()).to.match(/^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\nhello$/);
    expect(site.book.of('stream_open_failed')).to.have.length(1);
  });
});
