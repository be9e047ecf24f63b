import type { Socket } from 'node:net';
import { freePort } from '../support/free-port.js';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import type { LogEvent } from '../support/daemon.js';
import { startAgent, startHub, type Hub, type YamlMap } from '../support/hub-agent.js';
import { Owner } from '../support/owner.js';
import { attempt, connectTo, expectEcho, readToEnd, type Ending } from '../support/tcp-client.js';
import { echo, startTarget, type Target } from '../support/tcp-targets.js';

/** Who serves a client, and who is turned away. */
describe('routing', function () {
  this.timeout(60_000);

  const owner = new Owner();
  let target: Target;
  beforeEach(async () => {
    target = await owner.own(startTarget(echo));
  });
  afterEach(() => owner.stop());

  const startHubWith = (listener: YamlMap, config: YamlMap = {}): Promise<Hub> =>
    owner.own(startHub({ listeners: { web: listener }, config }));
  const ending = (hub: Hub): Promise<Ending> => attempt(hub.port('web'));
  const RESET: Ending = { how: 'ECONNRESET', bytes: 0 };
  async function expectRejected(hub: Hub, reason: string): Promise<void> {
    const rejected = async (): Promise<number> =>
      (await hub.metrics()).sum('nowconnect_rejected_connections_total', { connector: 'web', reason });
    const before = await rejected();
    expect(await ending(hub)).to.deep.equal(RESET);
    expect(await rejected()).to.equal(before + 1);
  }
  async function served(hub: Hub, text = 'served'): Promise<Socket> {
    const client = await connectTo(hub.port('web'));
    await expectEcho(client, text);
    return client;
  }

  describe('without an agent', () => {
    /** How long a client waited, by the clock of the hub: it matters that the hub was quick, not this process. */
    async function waited(hub: Hub): Promise<LogEvent> {
      const line = await hub.waitEvent('no_agent_for_connector');
      expect(hub.events('no_agent_for_connector')).to.have.lengthOf(1);
      return line;
    }

    it('a client is reset after wait_for_agent_ms', async () => {
      const hub = await startHubWith({ wait_for_agent_ms: 700 });
      await expectRejected(hub, 'no_agent');
      expect((await waited(hub))['waited_ms']).to.be.within(690, 4000);
    });

    it('a client is reset at once when wait_for_agent_ms is 0', async () => {
      const hub = await startHubWith({ wait_for_agent_ms: 0 });
      await expectRejected(hub, 'no_agent');
      expect((await waited(hub))['waited_ms']).to.be.within(0, 600);
    });

    it('a client is served by an agent that comes in time, with what it sent meanwhile', async () => {
      const hub = await startHubWith({ wait_for_agent_ms: 20_000 });
      const client = await connectTo(hub.port('web'));
      const echoed = expectEcho(client, 'sent before the agent came');
      await owner.own(startAgent({ hub, targets: { web: target.port } }));
      await echoed;
    });
  });

  it('a newer process of an agent replaces one that hangs, and the end of the old one changes nothing', async () => {
    const hub = await startHubWith({});
    const other = await owner.own(startTarget(echo));
    const old = await owner.own(startAgent({ hub, targets: { web: target.port } }));
    await served(hub);
    old.child.signal('SIGSTOP');
    await owner.own(startAgent({ hub, targets: { web: other.port } }));
    await hub.waitEvent('agent_replaced');
    await served(hub);
    expect(other.accepted).to.equal(1);

    await old.stop();
    await hub.waitTunnels(1);
    await served(hub);
    expect(other.accepted).to.equal(2);
  });

  it('two agents share a connector: each client goes to the one with fewer streams', async () => {
    const hub = await startHubWith({});
    const other = await owner.own(startTarget(echo));
    await owner.own(startAgent({ hub, targets: { web: target.port }, agentId: 'site-a' }));
    await owner.own(startAgent({ hub, targets: { web: other.port }, agentId: 'site-b' }));
    await hub.waitTunnels(2);
    for (let n = 0; n < 10; n += 1) await served(hub);
    expect([target.sockets.size, other.sockets.size]).to.deep.equal([5, 5]);
  });

  it('a dial that fails at one agent is tried at the other', async () => {
    const hub = await startHubWith({});
    await owner.own(startAgent({ hub, targets: { web: await freePort() }, agentId: 'site-a' }));
    await owner.own(startAgent({ hub, targets: { web: target.port }, agentId: 'site-b' }));
    await hub.waitTunnels(2);
    for (let n = 0; n < 10; n += 1) await served(hub);
    expect(target.accepted).to.equal(10);
  });

  it('a dial that fails at every agent resets the client', async () => {
    const hub = await startHubWith({});
    const port = await freePort();
    for (const agentId of ['site-a', 'site-b'])
      await owner.own(startAgent({ hub, targets: { web: port }, agentId }));
    await hub.waitTunnels(2);
    expect(await ending(hub)).to.deep.equal(RESET);
  });

  it('an agent dials the next endpoint of a target when the first refuses', async () => {
    const hub = await startHubWith({});
    const endpoints = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${target.port}`];
    await owner.own(startAgent({ hub, targets: { web: { endpoints } } }));
    for (let n = 0; n < 5; n += 1) await served(hub);
    expect(target.accepted).to.equal(5);
  });

  it('a client outside allow_cidrs is reset', async () => {
    const hub = await startHubWith({ allow_cidrs: ['10.0.0.0/8'] });
    await owner.own(startAgent({ hub, targets: { web: target.port } }));
    await expectRejected(hub, 'cidr');
    await hub.waitEvent('cidr_blocked');
    expect(hub.events('cidr_blocked')).to.have.lengthOf(1);
    expect(target.accepted).to.equal(0);
  });

  it('a client inside allow_cidrs is served', async () => {
    const hub = await startHubWith({ allow_cidrs: ['10.0.0.0/8', '127.0.0.0/8'] });
    await owner.own(startAgent({ hub, targets: { web: target.port } }));
    await served(hub);
  });

  it('one client more than max_connections is reset, and served once another left', async () => {
    const hub = await startHubWith({ max_connections: 2 });
    await owner.own(startAgent({ hub, targets: { web: target.port } }));
    const [first] = [await served(hub), await served(hub)];
    await expectRejected(hub, 'limit_listener');
    first.resetAndDestroy();
    await hub.alive(
      'one stream less',
      async () => (await hub.metrics()).sum('nowconnect_tcp_active_connections', { connector: 'web' }) === 1,
    );
    await served(hub);
  });

  it('an agent that the listener does not name serves no one', async () => {
    const hub = await startHubWith({ agents: ['site-b'], wait_for_agent_ms: 0 });
    await owner.own(startAgent({ hub, targets: { web: target.port }, agentId: 'site-a' }));
    expect(await ending(hub)).to.deep.equal(RESET);
    await owner.own(startAgent({ hub, targets: { web: target.port }, agentId: 'site-b' }));
    await served(hub);
    expect(target.accepted).to.equal(1);
  });

  it('an agent serves only the connectors of its token when scopes are required', async () => {
    const hub = await startHubWith(
      { wait_for_agent_ms: 0 },
      { security: { require_connector_scopes: true } },
    );
    const targets = { web: target.port };
    await owner.own(startAgent({ hub, targets, agentId: 'site-a', token: { connectors: ['other'] } }));
    expect(await ending(hub)).to.deep.equal(RESET);
    await owner.own(startAgent({ hub, targets, agentId: 'site-b', token: { connectors: ['web'] } }));
    await served(hub);
    expect(target.accepted).to.equal(1);
  });

  it('a stream that says nothing for idle_timeout_ms is reset, one that talks is not', async () => {
    const hub = await startHubWith({ idle_timeout_ms: 1500 });
    await owner.own(startAgent({ hub, targets: { web: target.port } }));
    const [silent, talking] = [await served(hub), await served(hub)];
    const reset = readToEnd(silent);
    for (let line = 0; silent.readyState === 'open'; line += 1) {
      await expectEcho(talking, `line ${line}`);
      await delay(100);
    }
    expect((await reset).how).to.equal('ECONNRESET');
    await expectEcho(talking, 'still here');
    const closed = await hub.waitEvent('stream_closed');
    expect(closed).to.have.property('reason', 'idle_timeout');
  });
});
