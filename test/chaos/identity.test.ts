import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { expect } from 'chai';
import { startBystander } from '../support/chaos-bystander.js';
import { movableClock } from '../support/chaos-clock.js';
import { QUICK_PINGS, startScene, VICTIM, type ChaosScene } from '../support/chaos-scene.js';
import type { Daemon } from '../support/daemon.js';
import { freePort } from '../support/free-port.js';
import { startAgent, startHub, world } from '../support/hub-agent.js';
import { MEBIBYTE } from '../support/files.js';
import { Owner } from '../support/owner.js';
import { attempt, connectTo, expectEcho, readToEnd } from '../support/tcp-client.js';
import { echo, startTarget } from '../support/tcp-targets.js';
import { waitFor } from '../support/wait-for.js';

const PROVE = process.env['NC_PROVE'] !== undefined;
/** Tokens with unknown keys cause at most one fetch in this time (hub/auth/jwks-url.ts). */
const JWKS_COOLDOWN_SEC = 30;

/** The issuer's key set over HTTP, as long as it is up. */
async function startJwks(port: number): Promise<{ fetches: () => number; stop: () => Promise<void> }> {
  const { keys } = await world();
  let fetches = 0;
  const server: Server = createServer((_request, response) => {
    fetches += 1;
    response.setHeader('Connection', 'close').end(readFileSync(keys.jwksFile));
  });
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port }, resolve));
  const stop = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
  return { fetches: () => fetches, stop };
}

const fetchesOf = async (hub: Daemon, result: string): Promise<number> =>
  (await hub.metrics()).sum('nowconnect_jwks_fetches_total', { result });

describe('the key set (JWKS) cannot be fetched', function () {
  this.timeout(PROVE ? 180_000 : 90_000);

  const owner = new Owner();
  afterEach(() => owner.stop());

  it('at the start: the hub runs and lets nobody in, and does so once the keys are there', async () => {
    const target = await owner.own(startTarget(echo));
    const port = await freePort();
    const jwksUrl = `http://127.0.0.1:${port}/jwks`;
    const hub = await owner.own(startHub({ listeners: { echo: {} }, jwksUrl }));
    const options = { hub, targets: { echo: target.port } };
    const early = await owner.own(startAgent({ ...options, agentId: 'early', noWait: true }));
    const refused = await hub.waitEvent('auth_failed', undefined, { timeoutMs: 40_000 });
    expect(refused).to.include({ reason: 'jwks_unavailable' });
    expect(await fetchesOf(hub, 'failure')).to.be.above(0);
    expect((await hub.metrics()).sum('nowconnect_tunnels')).to.equal(0);

    const jwks = await owner.own(startJwks(port));
    const late = await owner.own(
      startAgent({ ...options, agentId: 'late', config: { tunnel: QUICK_PINGS }, noWait: true }),
    );
    // A fetch that failed is tried again after a growing delay; the agent meanwhile counts as refused.
    await late.waitReady({ timeoutMs: 60_000 });
    expect(jwks.fetches()).to.be.above(0);
    await expectEcho(await connectTo(hub.port('echo')), 'now there are keys');
    if (PROVE) await early.waitReady({ timeoutMs: 60_000 });
  });

  it('later: the last good keys stay in use, also for an agent that comes back', async () => {
    const port = await freePort();
    const jwks = await startJwks(port);
    const scene = await owner.own(
      startScene({
        hub: { tunnel: { ...QUICK_PINGS, resume_grace_sec: 30 } },
        agent: { tunnel: QUICK_PINGS },
        jwksUrl: `http://127.0.0.1:${port}/jwks`,
      }),
    );
    expect(jwks.fetches()).to.be.above(0);
    await jwks.stop();
    await scene.startBystander();
    if (PROVE) await failRefresh(scene, jwks.fetches());
    const resumed = scene.hubEvents('session_resumed').length;
    const transfer = scene.transfer(4, 4 * MEBIBYTE);
    await scene.proxy.cutAfter('toHub', MEBIBYTE, 'rst');
    await transfer;
    await scene.nextHubEvent('session_resumed', resumed);
    await scene.finishBystander();
    await scene.settled();
  });

  /** A token with an unknown key makes the hub ask for newer ones, in vain. */
  async function failRefresh(scene: ChaosScene, fetches: number): Promise<void> {
    expect(fetches).to.be.above(0);
    const { keys, pki } = await world();
    const token = await keys.mint();
    const header = Buffer.from(JSON.stringify({ alg: 'RS256', kid: 'nobody-knows' })).toString('base64url');
    const unknown = [header, ...token.split('.').slice(1)].join('.');
    const { request } = await import('node:https');
    await waitFor(
      'a refresh to fail',
      async () => {
        await new Promise<void>((resolve) => {
          const upgrade = request({
            host: '127.0.0.1',
            servername: 'localhost',
            port: scene.hub.tunnelPort,
            path: '/tunnel',
            ca: readFileSync(pki.caFile),
            headers: {
              Connection: 'Upgrade',
              Upgrade: 'websocket',
              'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
              'Sec-WebSocket-Version': '13',
              'Sec-WebSocket-Protocol': 'nowconnect.v2',
              Authorization: `Bearer ${unknown}`,
            },
          });
          upgrade.once('response', (response) => {
            response.resume();
            response.once('end', resolve);
          });
          upgrade.once('error', () => resolve());
          upgrade.end();
        });
        return (await fetchesOf(scene.hub, 'failure')) > 0;
      },
      { timeoutMs: (JWKS_COOLDOWN_SEC + 15) * 1000, intervalMs: 2000 },
    );
  }
});

describe('a token runs out in the middle of a transfer', function () {
  this.timeout(90_000);

  const TTL_SEC = 10;
  let scene: ChaosScene;
  const start = async (graceSec: number): Promise<ChaosScene> =>
    (scene = await startScene({
      hub: { tunnel: { ...QUICK_PINGS, resume_grace_sec: graceSec }, security: { clock_skew_sec: 0 } },
      agent: { tunnel: QUICK_PINGS },
      listener: { wait_for_agent_ms: 0 },
    }));
  afterEach(() => scene.stop());

  /** Puts a fresh token into the agent's file and waits until the hub has it. Resolves to its `exp` in milliseconds. */
  async function renewToken(ttlSec?: number): Promise<number> {
    const { keys } = await world();
    const token = await keys.mint({ agentId: VICTIM, ...(ttlSec !== undefined && { ttlSec }) });
    const known = scene.hubEvents('token_changed').length;
    writeFileSync(scene.agent.tokenFile, token);
    await scene.nextHubEvent('token_changed', known);
    const [, payload = ''] = token.split('.');
    return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { exp: number }).exp * 1000;
  }
  const past = (time: number): Promise<unknown> =>
    waitFor('the token to run out', () => Date.now() > time + 500, { timeoutMs: TTL_SEC * 1500 });

  it('a fresh token in its file keeps the tunnel, and a drop afterwards is resumed with it', async () => {
    await start(30);
    const talker = await startBystander(scene.hub.port('echo'));
    const old = await renewToken(TTL_SEC);
    await renewToken();
    await past(old);
    await scene.transfer(1, MEBIBYTE);
    const resumed = scene.hubEvents('session_resumed').length;
    expect(scene.proxy.cut('rst')).to.equal(1);
    await scene.nextHubEvent('session_resumed', resumed);
    await talker.finish();
    expect(scene.hubEvents('agent_connected')).to.have.lengthOf(1);
  });

  it('without one: no new stream, the running one goes on, and a drop is not resumed', async () => {
    await start(3);
    const client = await connectTo(scene.hub.port('echo'));
    await expectEcho(client, 'before');
    await past(await renewToken(TTL_SEC));
    expect((await attempt(scene.hub.port('echo'))).how).to.equal('ECONNRESET');
    await expectEcho(client, 'after exp');
    const ending = readToEnd(client);
    expect(scene.proxy.cut('rst')).to.equal(1);
    expect((await ending).how).to.equal('ECONNRESET');
    expect(scene.hubEvents('session_resumed')).to.have.lengthOf(0);
    await scene.hub.waitEvent('auth_failed');
  });
});

describe('a clock is moved by an hour', function () {
  this.timeout(90_000);

  const HOUR_SEC = 3600;
  for (const side of ['hub', 'agent'] as const) {
    it(`${side}: forward, back and back again; streams and tunnel do not notice`, async () => {
      const clock = await movableClock();
      const scene = await startScene({
        hub: { tunnel: { ...QUICK_PINGS, resume_grace_sec: 30 } },
        agent: { tunnel: QUICK_PINGS },
        tokenTtlSec: 3 * HOUR_SEC,
        [`${side}Env`]: clock.env,
      });
      try {
        const talker = await startBystander(scene.hub.port('echo'));
        for (const offsetSec of [HOUR_SEC, -HOUR_SEC, 0]) {
          clock.set(offsetSec);
          // The log of the daemon tells that its clock has really moved.
          const known = new Set(scene[side].events('stream_closed'));
          await scene.transfer(1, MEBIBYTE);
          const line = await scene[side].waitEvent('stream_closed', (event) => {
            if (known.has(event)) return false;
            const { time } = event;
            const awayMs = Date.parse(String(time)) - (Date.now() + offsetSec * 1000);
            return Math.abs(awayMs) < 60_000;
          });
          expect(line['reason']).to.equal('finished');
        }
        clock.set(HOUR_SEC);
        const resumed = scene.hubEvents('session_resumed').length;
        expect(scene.proxy.cut('rst')).to.equal(1);
        await scene.nextHubEvent('session_resumed', resumed);
        await scene.transfer(1, MEBIBYTE);
        await talker.finish();
        expect(scene.hubEvents('session_suspended')).to.have.lengthOf(1);
        expect(scene.hubEvents('session_expired')).to.have.lengthOf(0);
      } finally {
        await scene.stop();
      }
    });
  }
});
