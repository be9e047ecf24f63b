import type { Socket } from 'node:net';
import { expect } from 'chai';
import { startBlackHole, type BlackHole } from '../../support/black-hole.js';
import { expectEcho, readToEnd } from '../../support/tcp-client.js';
import { echo } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import { scraped } from '../../unit/hub/bench.js';
import { Site, targetOf, useSite, type SiteAgent } from './site.js';

describe('a client whose session ends before its stream is open', () => {
  let hole: BlackHole;
  before(async () => (hole = await startBlackHole()));
  after(() => hole.stop());
  const held = useSite();

  /** A client whose stream is not open yet: its target does not answer. */
  async function opening(words?: string): Promise<{ site: Site; client: Socket; first: SiteAgent }> {
    const site = (held.site = await Site.start({ web: { waitForAgentMs: 20_000 } }));
    const first = await site.agent({ web: targetOf(hole.port, 60_000) });
    const client = await site.client('web');
    if (words !== undefined) client.write(words);
    const said = words?.length ?? 0;
    await waitFor('its words to be read', async () => (await site.scraped('tcp_bytes_total')) === said);
    await dialled(first);
    return { site, client, first };
  }

  const dialled = ({ metrics }: SiteAgent): Promise<unknown> =>
    waitFor('the agent to dial', async () => (await scraped(metrics, 'tcp_active_connections')) === 1);

  const nextAgent = async (site: Site): Promise<SiteAgent> =>
    site.agent({ web: (await site.target(echo)).port });

  it('is served by the next process of the same agent, which replaces the lost one', async () => {
    const { site, client } = await opening();
    await nextAgent(site);
    await expectEcho(client, 'nothing was said before');
    expect(site.book.of('stream_open_failed')[0]).to.include({ reason: 'tunnel_lost', retry: true });
    expect(site.book.of('no_agent_for_connector')).to.deep.equal([]);
  });

  it('is reset when it has spoken: a target may have heard it', async () => {
    const { site, client } = await opening('once');
    const ending = readToEnd(client);
    await nextAgent(site);
    expect((await ending).how).to.equal('ECONNRESET');
    await site.book.wait('stream_closed', { reason: 'tunnel_lost' });
  });

  it('waits for the next process with what it said, when the agent drains and says that no target heard it', async () => {
    const { site, client, first } = await opening('said to the first');
    const echoed = new Promise<string>((resolve) => client.once('data', (text) => resolve(String(text))));
    await first.agent.stopNow();
    await site.book.wait('stream_open_failed', { reason: 'draining', retry: true });
    await nextAgent(site);
    expect(await echoed).to.equal('said to the first');
  });

  it('is reset when no next process comes in time, and the log says that none serves the connector', async () => {
    const site = (held.site = await Site.start({ web: { waitForAgentMs: 300 } }));
    const first = await site.agent({ web: targetOf(hole.port, 60_000) });
    const ending = readToEnd(await site.client('web'));
    await dialled(first);
    await first.agent.stopNow();
    expect((await ending).how).to.equal('ECONNRESET');
    expect(site.book.of('no_agent_for_connector')).to.have.length(1);
    const opens = (result: string): Promise<number> =>
      site.scraped('open_duration_seconds_count', { result });
    expect([await opens('refused'), await opens('no_agent')]).to.deep.equal([1, 1]);
  });
});
