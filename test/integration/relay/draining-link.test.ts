import { rmSync } from 'node:fs';
import { expect } from 'chai';
import { startKeyedEcho } from '../../support/keyed-echo.js';
import { expectEcho, readToEnd } from '../../support/tcp-client.js';
import { echo } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import type { HubChanges } from '../../unit/hub/bench.js';
import { CutProxy } from './cut-proxy.js';
import { Site, targetOf, useSite, type SiteAgent } from './site.js';

const MIB = 1024 * 1024;

describe('a draining session whose link is lost', () => {
  let proxy: CutProxy | undefined;
  afterEach(async () => {
    for (const { agent } of held.site.agents) await agent.stopNow();
    await proxy?.stop();
    proxy = undefined;
  });
  const held = useSite();

  interface Transfer {
    readonly site: Site;
    readonly path: CutProxy;
    readonly agent: SiteAgent;
    /** Lets the streams come to their end; rejects when a byte of them was wrong. */
    readonly finish: () => Promise<void>;
    /** Waits until more bytes have gone by. */
    readonly flows: () => Promise<void>;
  }

  /** Three streams to an echo that talk until they are told to finish; something is always on its way. */
  async function startTransfer(changes: HubChanges = {}): Promise<Transfer> {
    const site = (held.site = await Site.start({ web: {} }, changes));
    const { port } = await site.target(echo);
    const path = (proxy = await CutProxy.start(site.hub.tunnelPort));
    const agent = await site.agent({ web: port }, { url: path.url });
    let talking = true;
    async function talk(): Promise<void> {
      const stream = await startKeyedEcho(site.port('web'));
      while (talking) {
        for (let chunk = 0; chunk < 8; chunk += 1) stream.say(32_768);
        await stream.heard(8000);
      }
      await stream.finish();
    }
    const talks = Promise.all([talk(), talk(), talk()]);
    talks.catch(() => undefined);
    const finish = async (): Promise<void> => {
      talking = false;
      await talks;
    };
    const flows = async (): Promise<void> => {
      const carried = await site.scraped('tcp_bytes_total');
      await waitFor('bytes to flow', async () => (await site.scraped('tcp_bytes_total')) > carried + MIB);
    };
    await flows();
    return { site, path, agent, finish, flows };
  }

  /** A change of the agent's own file that makes it move to a fresh session. */
  const moves = ({ agent, config }: SiteAgent): Promise<unknown> =>
    agent.reload({
      ...config,
      targets: new Map([...config.targets, ['db', targetOf(1)]]),
      tunnel: { ...config.tunnel, exportedConnectors: ['web', 'db'] },
    });

  async function expectResumed({ site, agent }: Transfer, times: number): Promise<void> {
    expect(site.book.of('session_resumed').length, 'resumed at the hub').to.be.at.least(times);
    expect(agent.book.of('session_resumed').length, 'resumed at the agent').to.be.at.least(times);
    const finished = async (): Promise<boolean> =>
      (await site.scraped('streams_closed_total', { reason: 'finished' })) === 3;
    await waitFor('every stream to be over in good order', finished);
  }

  it('keeps its streams when the agent has moved on, twice in a row', async () => {
    const transfer = await startTransfer();
    const { site, path, agent, finish, flows } = transfer;
    await moves(agent);
    await waitFor('the second session', () => agent.book.of('tunnel_connected').length === 2);
    for (let cuts = 1; cuts <= 2; cuts += 1) {
      path.cut();
      // The one in use and the one that drains, each by itself.
      await waitFor('both to be back', () => agent.book.of('session_resumed').length === 2 * cuts);
      await flows();
    }
    await finish();
    await expectResumed(transfer, 4);
    expect(site.book.of('agent_replaced')).to.deep.equal([]);
    expect(site.book.of('agent_connected')).to.have.length(2);
    await site.book.wait('agent_disconnected', { why: 'its streams have finished' });
    const end = await agent.book.wait('tunnel_lost', { reason: 'finished' });
    expect(end).to.include({ level: 'info', code: 1000, by: 'hub' });
  });

  it('keeps its streams when the word that it drains was lost too', async () => {
    const transfer = await startTransfer();
    const { site, path, agent, finish, flows } = transfer;
    // Neither side has noticed yet: GOAWAY goes down with the link.
    path.cut();
    await moves(agent);
    await waitFor('the second session', () => agent.book.of('tunnel_connected').length === 2);
    await flows();
    await finish();
    await expectResumed(transfer, 1);
    expect(site.book.of('agent_replaced')).to.deep.equal([]);
  });

  it('keeps its streams when the agent is stopping', async () => {
    const transfer = await startTransfer();
    const { site, path, agent, finish, flows } = transfer;
    const stopped = agent.agent.stop();
    await site.book.wait('goaway_received', { code: 4503 });
    path.cut();
    await agent.book.wait('session_resumed');
    await flows();
    await finish();
    await stopped;
    await expectResumed(transfer, 1);
    expect(agent.book.of('drain_timeout')).to.deep.equal([]);
    expect(site.book.of('agent_connected'), 'no fresh session').to.have.length(1);
  });

  it('keeps its streams when the link was lost before the agent began to stop', async () => {
    const transfer = await startTransfer();
    const { path, agent, finish, flows } = transfer;
    path.closed = true;
    path.cut();
    await agent.book.wait('session_suspended');
    const stopped = agent.agent.stop();
    path.closed = false;
    await agent.book.wait('session_resumed');
    await flows();
    await finish();
    await stopped;
    await expectResumed(transfer, 1);
  });

  it('keeps its streams when the hub is stopping', async () => {
    const transfer = await startTransfer();
    const { site, path, agent, finish, flows } = transfer;
    const stopped = site.hub.stop();
    await agent.book.wait('goaway_received', { code: 4503 });
    path.cut();
    await agent.book.wait('session_resumed');
    await flows();
    await finish();
    await stopped;
    await expectResumed(transfer, 1);
    expect(site.book.of('drain_timeout')).to.deep.equal([]);
    expect(site.book.of('agent_connected'), 'no fresh session').to.have.length(1);
  });

  it('resets its streams when it is not back within the grace, and leaves the newer one alone', async () => {
    const site = (held.site = await Site.start({ web: {} }, { tunnel: { resumeGraceSec: 1 } }));
    const { port } = await site.target(echo);
    const path = (proxy = await CutProxy.start(site.hub.tunnelPort));
    const agent = await site.agent({ web: port }, { url: path.url });
    const client = await site.client('web');
    await expectEcho(client, 'before');
    // The fresh session comes another way.
    await agent.agent.reload({ ...agent.config, tunnel: { ...agent.config.tunnel, url: site.url } });
    await waitFor('the second session', () => agent.book.of('tunnel_connected').length === 2);
    const late = await site.client('web');
    await expectEcho(late, 'on the newer one');
    // No attempt gets far any more.
    rmSync(agent.config.tunnel.tokenFile);
    path.cut();
    expect((await readToEnd(client)).how).to.equal('ECONNRESET');
    await agent.book.wait('session_expired');
    await expectEcho(late, 'still there');
  });
});
