import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { CloseCode } from '../../protocol/index.js';
import { createAuthKeys, goodClaims, jwksText, signToken, type AuthKeys } from '../support/auth-tokens.js';
import { badTokens } from '../support/bad-tokens.js';
import { startAgent, startHub, world, type Hub } from '../support/hub-agent.js';
import { Owner } from '../support/owner.js';
import { connectRawAgent } from '../support/raw-agent.js';
import { tempDir } from '../support/temp-dir.js';
import { tryUpgrade } from '../support/upgrade.js';

describe('the tunnel endpoint of the hub', function () {
  this.timeout(60_000);

  const owner = new Owner();
  let keys: AuthKeys;
  let hub: Hub;
  before(async () => {
    keys = createAuthKeys();
    const jwksFile = join(tempDir('auth'), 'jwks.json');
    writeFileSync(jwksFile, jwksText(keys));
    hub = await owner.own(
      startHub({ listeners: { web: {} }, config: { security: { jwks_file: jwksFile } } }),
    );
  });
  after(() => owner.stop());

  const goodToken = (): string => signToken(keys.rsa, 'RS256', goodClaims());
  const failures = async (reason?: string): Promise<number> =>
    (await hub.metrics()).sum('nowconnect_auth_failures_total', reason === undefined ? {} : { reason });
  const tunnels = async (): Promise<number> => (await hub.metrics()).sum('nowconnect_tunnels');

  it('gives a WebSocket to a good token', async () => {
    expect(await tryUpgrade(hub.tunnelPort, { authorization: `Bearer ${goodToken()}` })).to.deep.equal({
      status: 101,
      body: '',
    });
  });

  it('answers every bad token with the same 401, counts its reason and gives no WebSocket', async () => {
    const table = badTokens(keys);
    expect(table).to.have.length.at.least(40);
    const wrong: string[] = [];
    const bodies = new Set<string>();
    for (const { name, token, reason, http431 } of table) {
      const before = await failures(reason);
      const { status, body } = await tryUpgrade(hub.tunnelPort, { authorization: `Bearer ${token}` });
      if (http431 && status === 431) continue;
      bodies.add(body);
      const counted = (await failures(reason)) - before;
      if (status !== 401) wrong.push(`${name}: HTTP ${status} instead of 401`);
      if (counted !== 1) wrong.push(`${name}: ${counted} counted as ${reason}`);
    }
    expect(wrong).to.deep.equal([]);
    expect([...bodies]).to.have.lengthOf(1);
    const reasons = table.map(({ reason }) => reason);
    expect(reasons.filter((reason) => [...bodies][0]?.includes(reason))).to.deep.equal([]);
    expect(await tunnels()).to.equal(0);
  });

  const shapes: readonly [name: string, authorization: () => string | readonly string[] | undefined][] = [
    ['no Authorization', () => undefined],
    ['an empty Authorization', () => ''],
    ['a scheme without a token', () => 'Bearer'],
    ['another scheme', () => `Basic ${Buffer.from('site-a:secret').toString('base64')}`],
    ['a good token without a scheme', () => goodToken()],
    ['two good tokens in one header', () => `Bearer ${goodToken()}, Bearer ${goodToken()}`],
    ['two headers, the second good', () => [`Bearer nothing`, `Bearer ${goodToken()}`]],
  ];
  for (const [name, authorization] of shapes) {
    it(`refuses ${name}`, async () => {
      const value = authorization();
      const before = await failures();
      const { status } = await tryUpgrade(
        hub.tunnelPort,
        value === undefined ? {} : { authorization: value },
      );
      expect(status).to.equal(401);
      expect(await failures()).to.equal(before + 1);
    });
  }

  it('takes no token from the URL', async () => {
    const { status } = await tryUpgrade(hub.tunnelPort, { path: `/tunnel?access_token=${goodToken()}` });
    expect(status).to.equal(401);
  });

  it('answers another path with 404, with a good token too', async () => {
    const authorization = `Bearer ${goodToken()}`;
    expect((await tryUpgrade(hub.tunnelPort, { path: '/other', authorization })).status).to.equal(404);
  });

  it('gives no WebSocket for a subprotocol that it does not speak', async () => {
    const answer = await tryUpgrade(hub.tunnelPort, {
      subprotocol: 'chat',
      authorization: `Bearer ${goodToken()}`,
    });
    expect(answer.status).to.be.within(400, 499);
  });

  it('closes with 4403 when HELLO names another agent than the token', async () => {
    const agent = await owner.own(connectRawAgent(hub, goodToken()));
    agent.hello({ agentId: 'site-b' });
    expect(await agent.closed()).to.equal(CloseCode.Forbidden);
    expect(await tunnels()).to.equal(0);
  });

  it('closes with 4408 when no HELLO comes within 5 seconds', async () => {
    const started = performance.now();
    const agent = await owner.own(connectRawAgent(hub, goodToken()));
    expect(await agent.closed()).to.equal(CloseCode.HandshakeTimeout);
    expect(performance.now() - started).to.be.within(4500, 7500);
  });

  it('closes with 4400 when the first frame is not HELLO', async () => {
    const agent = await owner.own(connectRawAgent(hub, goodToken()));
    agent.send(new Uint8Array(64).fill(0xff));
    expect(await agent.closed()).to.equal(CloseCode.Protocol);
  });

  it('keeps the agent that a good HELLO names', async () => {
    const agent = await owner.own(connectRawAgent(hub, goodToken()));
    agent.hello();
    await hub.waitTunnels(1);
    await agent.stop();
    await hub.waitTunnels(0);
  });
});

describe('a hub that asks agents for a certificate', function () {
  this.timeout(30_000);

  const owner = new Owner();
  after(() => owner.stop());

  it('lets in the agent that has one and no other, whatever its token', async () => {
    const { pki } = await world();
    const hub = await owner.own(
      startHub({
        listeners: { web: {} },
        config: { tunnel: { tls: { client_ca_file: pki.caFile } } },
      }),
    );
    const without = await owner.own(startAgent({ hub, targets: { web: 1 }, noWait: true }));
    const rejected = await without.waitEvent('tunnel_rejected');
    expect(rejected['why']).to.match(/certificate/);
    expect(await without.health()).to.equal('OK');

    const { certFile, keyFile } = await pki.client('site-b');
    await owner.own(
      startAgent({
        hub,
        targets: { web: 1 },
        agentId: 'site-b',
        config: { tunnel: { cert_file: certFile, key_file: keyFile } },
      }),
    );
    await hub.waitTunnels(1);
  });
});
