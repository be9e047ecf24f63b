import { expect } from 'chai';
import { startAgent, startHub, type YamlMap } from '../support/hub-agent.js';
import { Owner } from '../support/owner.js';
import { startRelay, type StartRelay } from '../support/relay.js';
import { SQUID_PASSWORD, SQUID_USER, startSquid, type Squid } from '../support/servers/squid.js';
import { startTarget, type Target } from '../support/tcp-targets.js';
import { waitFor } from '../support/wait-for.js';
import { httpThrough } from './paths/http.js';
import { ldapThrough } from './paths/ldap.js';
import { postgresThrough } from './paths/postgres.js';
import { sshThrough } from './paths/ssh.js';

const proxyUrl = (port: number, password: string): string =>
  `http://${SQUID_USER}:${password}@127.0.0.1:${port}`;
const withProxy = (url: string): YamlMap => ({ proxy: { https_proxy: url } });

/** What the access log of squid says about a tunnel that went through it. */
const tunnelled = (squid: Squid, tunnelPort: number): boolean =>
  new RegExp(`TCP_TUNNEL/200 .* CONNECT localhost:${tunnelPort} ${SQUID_USER} `).test(squid.accessLog());

/** A relay whose agent reaches its hub through a squid of its own; proves at the end that it did. */
const startThroughSquid: StartRelay = async (owner, targets) => {
  const squid = await owner.own(startSquid());
  const relay = await startRelay(owner, targets, {
    agent: { config: withProxy(proxyUrl(squid.port, SQUID_PASSWORD)) },
  });
  await owner.own(
    Promise.resolve({
      // Stopped first. Squid writes the line of a tunnel when the tunnel ends.
      stop: async () => {
        await relay.agent.stop();
        await waitFor('squid to log the CONNECT', () => tunnelled(squid, relay.hub.tunnelPort));
        expect(relay.agent.output).to.not.include(SQUID_PASSWORD);
      },
    }),
  );
  return relay;
};

ldapThrough('through squid with a password', startThroughSquid);
sshThrough('through squid with a password', startThroughSquid);
postgresThrough('through squid with a password', startThroughSquid);
httpThrough('through squid with a password', startThroughSquid);

describe('an agent behind a forward proxy', function () {
  this.timeout(30_000);

  const owner = new Owner();
  let squid: Squid;
  before(async () => {
    squid = await owner.own(startSquid());
  });
  after(() => owner.stop());

  it('finds the proxy in the environment when told to trust it', async () => {
    const hub = await owner.own(startHub({ listeners: { web: {} } }));
    const agent = await owner.own(
      startAgent({
        hub,
        targets: { web: 1 },
        env: { NC_TRUST_ENV: '1', HTTPS_PROXY: proxyUrl(squid.port, SQUID_PASSWORD) },
      }),
    );
    await agent.stop();
    await waitFor('squid to log the CONNECT', () => tunnelled(squid, hub.tunnelPort));
    expect(agent.output).to.not.include(SQUID_PASSWORD);
  });

  it('leaves the environment alone when not told to trust it', async () => {
    const hub = await owner.own(startHub({ listeners: { web: {} } }));
    const agent = await owner.own(
      startAgent({ hub, targets: { web: 1 }, env: { HTTPS_PROXY: proxyUrl(squid.port, SQUID_PASSWORD) } }),
    );
    await agent.stop();
    expect(squid.accessLog()).to.not.include(`CONNECT localhost:${hub.tunnelPort}`);
  });

  it('says 407 in clear words when the password is wrong, stays not ready and keeps the password to itself', async () => {
    const wrong = 'wrong-secret-77c1';
    const hub = await owner.own(startHub({ listeners: { web: {} } }));
    const config = withProxy(proxyUrl(squid.port, wrong));
    const agent = await owner.own(startAgent({ hub, targets: { web: 1 }, config, noWait: true }));
    const rejected = await agent.waitEvent('tunnel_rejected');
    expect(rejected['why']).to.match(/the proxy .* answered .*407/);
    expect(await agent.health()).to.equal('OK');
    expect((await agent.page('/readyz', agent.healthPort)).status).to.equal(503);
    await agent.stop();
    expect(agent.output)
      .to.not.include(wrong)
      .and.to.not.include(Buffer.from(`${SQUID_USER}:${wrong}`).toString('base64'));
    await waitFor('squid to log it', () => squid.accessLog().includes('TCP_DENIED/407 '));
  });

  it('gives up a proxy that accepts and never answers, and says so', async () => {
    let silent: Target | undefined;
    try {
      silent = await startTarget((socket) => socket.resume());
      const config = withProxy(`http://127.0.0.1:${silent.port}`);
      const agent = await owner.own(
        startAgent({ hub: 'wss://localhost:9/tunnel', targets: { web: 1 }, config, noWait: true }),
      );
      const rejected = await agent.waitEvent('tunnel_rejected', undefined, { timeoutMs: 25_000 });
      expect(rejected['why']).to.match(/the proxy .* did not answer/);
      await agent.stop();
    } finally {
      await silent?.stop();
    }
  });
});
