import { expect } from 'chai';
import { exchangeOnce, expectEcho, readToEnd } from '../../support/tcp-client.js';
import { echo, exchange, type ExchangeReport } from '../../support/tcp-targets.js';
import { waitFor, within } from '../../support/wait-for.js';
import type { HubChanges } from '../../unit/hub/bench.js';
import { CutProxy } from './cut-proxy.js';
import { Site, useSite, type Listeners, type SiteAgent } from './site.js';

const MIB = 1024 * 1024;
/** The hub has as much under way on any path. */
const LOST_BYTES = 32 * 1024;

describe('a tunnel whose link is lost', () => {
  let proxy: CutProxy | undefined;
  afterEach(async () => {
    for (const { agent } of held.site.agents) await agent.stopNow();
    await proxy?.stop();
    proxy = undefined;
  });
  const held = useSite();

  /** A site whose agent comes through a path that can be cut. */
  async function startCuttable(
    targets: Readonly<Record<string, number>>,
    site: Site,
  ): Promise<{ agent: SiteAgent; path: CutProxy }> {
    const path = (proxy = await CutProxy.start(site.hub.tunnelPort));
    return { path, agent: await site.agent(targets, { url: path.url }) };
  }

  const start = async (listeners: Listeners = { web: {} }, changes: HubChanges = {}): Promise<Site> =>
    (held.site = await Site.start(listeners, changes));

  it('is only latency for its streams: every byte comes once and in order', async () => {
    const site = await start();
    const reports = new Map<string, Promise<ExchangeReport>>();
    const { port } = await site.target(exchange(reports));
    const { path, agent } = await startCuttable({ web: port }, site);
    const exchanges = Array.from({ length: 4 }, () =>
      exchangeOnce({ port: site.port('web'), upBytes: 12 * MIB, downBytes: 4 * MIB }, reports),
    );
    for (let cuts = 1; cuts <= 2; cuts += 1) {
      await within(8000, 'a cut that loses bytes', path.cutLosing(4 * MIB, LOST_BYTES));
      await waitFor('the resume', () => site.book.of('session_resumed').length === cuts);
    }
    await Promise.all(exchanges);
    expect(site.book.of('agent_connected'), 'one session').to.have.length(1);
    expect(agent.book.of('session_resumed')).to.have.length(2);
    expect(await site.scraped('session_resumes_total', { result: 'resumed' })).to.equal(2);
    await waitFor(
      'all to be closed',
      async () => (await site.scraped('streams_closed_total', { reason: 'finished' })) === 4,
    );
    // A scrape brings the sessions' counts.
    await site.scraped('buffered_bytes');
    // Twice as much was lost, nearly all of it data: some bytes are frame headers and credit.
    expect(await site.scraped('replayed_bytes_total')).to.be.at.least(LOST_BYTES);
  });

  it('shows as suspended, and takes new clients again when it is back', async () => {
    const site = await start({ web: { waitForAgentMs: 8000 } });
    const { path, agent } = await startCuttable({ web: (await site.target(echo)).port }, site);
    const client = await site.client('web');
    await expectEcho(client, 'before');
    path.closed = true;
    path.cut();
    await site.book.wait('session_suspended', { streams: 1 });
    await agent.book.wait('session_suspended', { streams: 1 });
    expect([await site.scraped('tunnels'), agent.agent.ready]).to.deep.equal([0, false]);
    const waiting = expectEcho(await site.client('web'), 'a client that came meanwhile');
    const echoed = expectEcho(client, 'said without a link');
    path.closed = false;
    await Promise.all([waiting, echoed]);
    expect(await site.scraped('tunnels')).to.equal(1);
  });

  it('resets its streams when nobody comes back within the grace', async () => {
    const site = await start({ web: {} }, { tunnel: { resumeGraceSec: 0.5 } });
    const { path, agent } = await startCuttable({ web: (await site.target(echo)).port }, site);
    const client = await site.client('web');
    await expectEcho(client, 'before');
    path.closed = true;
    path.cut();
    expect((await readToEnd(client)).how).to.equal('ECONNRESET');
    await site.book.wait('session_expired');
    await agent.book.wait('session_expired');
    expect(site.book.of('agent_disconnected')[0]).to.include({ code: 1006, by: 'hub' });
    expect(agent.book.of('tunnel_lost')[0]).to.include({ code: 1006, by: 'agent' });
    expect(await site.scraped('session_resumes_total', { result: 'expired' })).to.equal(1);
    path.closed = false;
    await agent.ready();
    await expectEcho(await site.client('web'), 'on a fresh session');
  });

  it('resets its streams at once where resume is off', async () => {
    const site = await start({ web: {} }, { tunnel: { resumeGraceSec: 0 } });
    const { path, agent } = await startCuttable({ web: (await site.target(echo)).port }, site);
    const client = await site.client('web');
    await expectEcho(client, 'before');
    const startedMs = performance.now();
    path.cut();
    expect((await readToEnd(client)).how).to.equal('ECONNRESET');
    expect(performance.now() - startedMs).to.be.below(2000);
    await site.book.wait('stream_closed', { reason: 'tunnel_lost' });
    expect(site.book.of('session_suspended')).to.deep.equal([]);
    expect(site.book.of('agent_disconnected')[0]).to.include({ code: 1006, by: 'agent' });
    expect(agent.book.of('tunnel_lost')[0]).to.include({ code: 1006, by: 'hub', level: 'warn' });
    await agent.ready();
    await expectEcho(await site.client('web'), 'on a fresh session');
  });

  it('is fresh when the hub does not have the session any more: its streams are reset on both sides', async () => {
    const site = await start({ web: {} });
    const target = await site.target(echo);
    const { path, agent } = await startCuttable({ web: target.port }, site);
    const client = await site.client('web');
    await expectEcho(client, 'before');
    path.closed = true;
    path.cut();
    await agent.book.wait('session_suspended');
    // Somebody else of that name: the hub gives the waiting session up.
    const ending = readToEnd(client);
    const other = await site.agent({ web: target.port });
    expect((await ending).how).to.equal('ECONNRESET');
    await other.agent.stopNow();
    path.closed = false;
    await agent.ready();
    expect(await site.scraped('session_resumes_total', { result: 'refused' })).to.equal(1);
    await waitFor('the old connection to be left', () => target.sockets.size === 0);
    await expectEcho(await site.client('web'), 'on a fresh session');
  });

  it('is given up by an agent that stops meanwhile', async () => {
    const site = await start({ web: {} }, { tunnel: { resumeGraceSec: 60 } });
    const target = await site.target(echo);
    const { path, agent } = await startCuttable({ web: target.port }, site);
    await expectEcho(await site.client('web'), 'before');
    path.closed = true;
    path.cut();
    await agent.book.wait('session_suspended');
    await agent.agent.stopNow();
    await waitFor('the target to be left', () => target.sockets.size === 0);
    expect(agent.book.lines.at(-1)?.event).to.equal('stopped');
  });
});
