import { expect } from 'chai';
import { startedDaemons } from '../support/daemon.js';
import { mintedTokens } from '../support/jwt-keys.js';
import { startHub } from '../support/hub-agent.js';
import { Owner } from '../support/owner.js';
import { startRelay } from '../support/relay.js';
import { SQUID_PASSWORD } from '../support/servers/squid.js';
import { connectTo, expectEcho } from '../support/tcp-client.js';
import { echo, startTarget } from '../support/tcp-targets.js';
import { tryUpgrade } from '../support/upgrade.js';

/** What a client sends here and no log may show. */
const MARKER = 'payload-marker-5be1c7';

/** Last in the alphabet: it looks through the output of every daemon that the suites before it started. */
describe('secrets', function () {
  this.timeout(60_000);

  const owner = new Owner();
  after(() => owner.stop());

  it('are in no line that any hub or agent of this run printed', async () => {
    const target = await owner.own(startTarget(echo));
    const debug = { config: { observability: { log_level: 'debug' } } };
    const { hub } = await startRelay(owner, { web: target.port }, { hub: debug, agent: debug });
    await expectEcho(await connectTo(hub.port('web')), MARKER);
    const stranger = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJub2JvZHkifQ.c2lnbmF0dXJlLW9mLW5vYm9keQ';
    expect((await tryUpgrade(hub.tunnelPort, { authorization: `Bearer ${stranger}` })).status).to.equal(401);
    expect((await tryUpgrade(hub.tunnelPort, { authorization: 'Basic dXNlcjpwYXNz' })).status).to.equal(401);
    await hub.waitEvent('auth_failed');
    await owner.stop();

    const signatures = [...mintedTokens()].map((token) => token.split('.')[2] ?? token);
    const secrets = [MARKER, SQUID_PASSWORD, stranger.split('.')[2]!, 'dXNlcjpwYXNz', ...signatures];
    const daemons = startedDaemons();
    expect(daemons.length).to.be.at.least(2);
    for (const daemon of daemons) {
      const { output } = daemon;
      const shown = secrets.filter((secret) => output.includes(secret));
      expect(shown, `in the log of ${daemon.child.name}`).to.deep.equal([]);
      expect(output.match(/authorization["']?\s*[:=]\s*["']?(bearer|basic)/gi) ?? []).to.deep.equal([]);
    }
    // The control: the log is there, and the search would find what it holds.
    expect(
      startedDaemons().some(
        ({ output }) => output.includes('stream_opened') || output.includes('stream_closed'),
      ),
    ).to.equal(true);
  });

  it('are in no metric', async () => {
    const hub = await owner.own(startHub({ listeners: { web: {} } }));
    expect((await tryUpgrade(hub.tunnelPort, { authorization: `Bearer ${MARKER}` })).status).to.equal(401);
    expect((await hub.metrics()).text).to.not.include(MARKER);
  });
});
