import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { expect } from 'chai';
import { daemonNode, mainFile, type Daemon, type Page } from '../support/daemon.js';
import { freePort } from '../support/free-port.js';
import { startAgent, startHub, world } from '../support/hub-agent.js';
import { Owner } from '../support/owner.js';
import { requireProgram, run } from '../support/processes.js';
import { startRelay, type Relay } from '../support/relay.js';
import { connectError, connectTo, expectEcho, readToEnd } from '../support/tcp-client.js';
import { echo, startTarget, type Target } from '../support/tcp-targets.js';
import { waitFor } from '../support/wait-for.js';

describe('the life of a hub and an agent', function () {
  this.timeout(60_000);

  const owner = new Owner();
  let target: Target;
  let relay: Relay;
  beforeEach(async () => {
    target = await owner.own(startTarget(echo));
    relay = await startRelay(owner, { web: target.port });
  });
  afterEach(() => owner.stop());

  const exitCode = async (daemon: Daemon, timeoutMs?: number): Promise<number | null> =>
    (await daemon.child.waitExit(timeoutMs)).code;

  it('the hub answers /healthz, /readyz and, for load balancers, /healthz on the tunnel port', async () => {
    const { hub } = relay;
    const healthz = await hub.page('/healthz');
    expect({ ...healthz, body: JSON.parse(healthz.body) as unknown }).to.deep.equal({
      status: 200,
      body: { status: 'ok' },
    });
    const readyz = await hub.page('/readyz');
    expect({ ...readyz, body: readyz.body.trim() }).to.deep.equal({ status: 200, body: 'ready' });
    expect((await httpsPage(hub.tunnelPort, '/healthz')).status).to.equal(200);
  });

  it('both publish metrics that promtool accepts without a word', async () => {
    const promtool = requireProgram('promtool', 'prometheus');
    await expectEcho(await connectTo(relay.hub.port('web')), 'something to count');
    for (const daemon of [relay.hub, relay.agent]) {
      const { text } = await daemon.metrics();
      expect(text).to.include('nowconnect_build_info').and.to.include('nowconnect_tcp_bytes_total');
      const checked = await run(promtool, ['check', 'metrics'], { input: text });
      expect(checked).to.deep.equal({ code: 0, signal: null, stdout: '', stderr: '' });
    }
  });

  it('an agent says OK without its hub, READY when the tunnel stands, OK again when the hub is gone', async () => {
    const tunnelPort = await freePort();
    const url = `wss://localhost:${tunnelPort}/tunnel`;
    const agent = await owner.own(startAgent({ hub: url, targets: { web: target.port }, noWait: true }));
    const ready = async (): Promise<number> => (await agent.page('/readyz', agent.healthPort)).status;
    await agent.waitEvent('tunnel_retry');
    expect([await agent.health(), await ready()]).to.deep.equal(['OK', 503]);

    const hub = await owner.own(startHub({ listeners: { web: {} }, tunnelPort }));
    await agent.waitReady({ timeoutMs: 30_000 });
    expect([await agent.health(), await ready()]).to.deep.equal(['READY', 200]);

    await hub.stop();
    await waitFor('OK', async () => (await agent.health()) === 'OK');
    expect([(await agent.page('/healthz', agent.healthPort)).status, await ready()]).to.deep.equal([
      200, 503,
    ]);
  });

  it('nowconnect health tells with its exit code what a daemon says', async () => {
    const health = async (port: number, ...args: readonly string[]): Promise<number | null> =>
      (await run(daemonNode(), [mainFile(), 'health', '--port', `${port}`, ...args])).code;
    expect(await health(relay.agent.healthPort)).to.equal(0);
    expect(await health(relay.agent.healthPort, '--ready')).to.equal(0);
    expect(await health(relay.hub.metricsPort, '--ready')).to.equal(0);
    await relay.hub.stop();
    await waitFor('OK', async () => (await relay.agent.health()) === 'OK');
    expect(await health(relay.agent.healthPort)).to.equal(0);
    expect(await health(relay.agent.healthPort, '--ready')).to.equal(1);
    expect(await health(relay.hub.metricsPort)).to.equal(69);
  });

  it('SIGTERM lets a running stream of the hub finish, takes no new one, then ends with 0', async () => {
    const client = await connectTo(relay.hub.port('web'));
    await expectEcho(client, 'before');
    relay.hub.child.signal('SIGTERM');
    await relay.hub.waitEvent('draining');
    const readyz = await relay.hub.page('/readyz');
    expect({ ...readyz, body: readyz.body.trim() }).to.deep.equal({ status: 503, body: 'draining' });
    expect((await relay.hub.page('/healthz')).status).to.equal(200);
    expect(await connectError(relay.hub.port('web'))).to.equal('ECONNREFUSED');

    await expectEcho(client, 'while it drains');
    const ending = readToEnd(client);
    client.end();
    expect((await ending).how).to.equal('FIN');
    expect(await exitCode(relay.hub)).to.equal(0);
    expect(relay.hub.events('stopped')).to.have.lengthOf(1);
  });

  it('SIGTERM resets what has not finished after drain_grace_sec, then ends with 0', async () => {
    const second = new Owner();
    try {
      const hub = { config: { limits: { drain_grace_sec: 1 } } };
      const short = await startRelay(second, { web: target.port }, { hub });
      const client = await connectTo(short.hub.port('web'));
      await expectEcho(client, 'before');
      const ending = readToEnd(client);
      const started = performance.now();
      short.hub.child.signal('SIGTERM');
      expect((await ending).how).to.equal('ECONNRESET');
      expect(performance.now() - started).to.be.within(900, 5000);
      expect(await exitCode(short.hub)).to.equal(0);
    } finally {
      await second.stop();
    }
  });

  for (const side of ['hub', 'agent'] as const) {
    it(`a second signal ends the ${side} at once`, async () => {
      const client = await connectTo(relay.hub.port('web'));
      await expectEcho(client, 'before');
      const ending = readToEnd(client);
      relay[side].child.signal('SIGTERM');
      await relay[side].waitEvent('draining');
      expect(relay[side].child.exit).to.equal(undefined);
      relay[side].child.signal('SIGTERM');
      await relay[side].child.waitExit(3000);
      expect((await ending).how).to.equal('ECONNRESET');
    });
  }

  it('SIGTERM lets a running stream of the agent finish, then ends with 0', async () => {
    const client = await connectTo(relay.hub.port('web'));
    await expectEcho(client, 'before');
    relay.agent.child.signal('SIGTERM');
    await relay.agent.waitEvent('draining');
    await expectEcho(client, 'while it drains');
    const ending = readToEnd(client);
    client.end();
    expect((await ending).how).to.equal('FIN');
    expect(await exitCode(relay.agent)).to.equal(0);
    await relay.hub.waitTunnels(0);
  });

  it('a hub without streams ends at once', async () => {
    relay.hub.child.signal('SIGTERM');
    expect(await exitCode(relay.hub, 3000)).to.equal(0);
  });
});

async function httpsPage(port: number, path: string): Promise<Page> {
  const ca = readFileSync((await world()).pki.caFile);
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', servername: 'localhost', port, path, ca, agent: false },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (part: string) => (body += part));
        response.once('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    sent.once('error', reject);
    sent.end();
  });
}
