import type { Socket } from 'node:net';
import { expect } from 'chai';
import { startChaosProxy, type ChaosProxy } from '../support/chaos-proxy.js';
import { startSwarm, type Swarm } from '../support/chaos-swarm.js';
import { fdCount } from '../support/fds.js';
import { startAgent, startHub, type Hub } from '../support/hub-agent.js';
import { startBystander } from '../support/chaos-bystander.js';
import { Owner } from '../support/owner.js';
import { connectTo, expectEcho } from '../support/tcp-client.js';
import { echo, startTarget } from '../support/tcp-targets.js';
import { waitFor } from '../support/wait-for.js';

const AGENTS = 200;
const PATIENCE = { timeoutMs: 60_000 };

/** One of the long proofs: `npm run prove`. */
const PROVE = process.env['NC_PROVE'] !== undefined;

if (PROVE)
  describe(`${AGENTS} agents lose their tunnels in the same moment`, function () {
    this.timeout(180_000);

    const owner = new Owner();
    let hub: Hub;
    let proxy: ChaosProxy;
    let swarm: Swarm;
    before(async () => {
      const target = await owner.own(startTarget(echo));
      hub = await owner.own(startHub({ listeners: { echo: {}, bystander: {} } }));
      proxy = await owner.own(startChaosProxy({ targetPort: hub.tunnelPort }));
      await owner.own(startAgent({ hub, agentId: 'site-b', targets: { bystander: target.port } }));
      const url = `wss://localhost:${proxy.port}/tunnel`;
      const options = { count: AGENTS, url, connector: 'echo', targetPort: target.port };
      swarm = await owner.own(startSwarm(options));
      await hub.waitTunnels(AGENTS + 1, PATIENCE);
    });
    after(() => owner.stop());

    it('every session is resumed, every stream goes on, and nobody has to wait long', async () => {
      const clients: Socket[] = [];
      for (let n = 0; n < AGENTS; n += 1) {
        const client = await connectTo(hub.port('echo'));
        await expectEcho(client, `client ${n}`);
        clients.push(client);
      }
      await hub.alive('a stream of each agent', () => {
        const opened = hub.events('stream_opened').filter(({ connector }) => connector === 'echo');
        return new Set(opened.map(({ agent }) => agent)).size === AGENTS;
      });
      const bystander = await startBystander(hub.port('bystander'));
      const fds = fdCount(hub.pid);

      const cutAt = Date.now();
      expect(proxy.cut('rst')).to.equal(AGENTS);
      const resumed = await hub.alive(
        'all to be resumed',
        () => {
          const events = hub.events('session_resumed');
          return new Set(events.map(({ agent }) => agent)).size === AGENTS && events;
        },
        { ...PATIENCE, intervalMs: 200 },
      );
      const afterMs = resumed.map(({ time }) => Date.parse(String(time)) - cutAt).sort((a, b) => a - b);
      const at = (share: number): number => afterMs[Math.ceil(share * afterMs.length) - 1] ?? NaN;
      process.stdout.write(`      re-attached after ms: p50 ${at(0.5)} p99 ${at(0.99)} last ${at(1)}\n`);
      expect(at(1)).to.be.below(15_000);

      await Promise.all(clients.map((client, n) => expectEcho(client, `client ${n} once more`)));
      expect(hub.events('session_expired')).to.have.lengthOf(0);
      expect(hub.events('agent_connected')).to.have.lengthOf(AGENTS + 1);
      expect(swarm.ready()).to.equal(AGENTS);
      expect((await bystander.finish()).longestGapMs).to.be.below(5000);
      for (const client of clients) client.destroy();
      await hub.alive('no stream to be left', async () => {
        const metrics = await hub.metrics();
        return (
          metrics.sum('nowconnect_tcp_active_connections') === 0 &&
          metrics.sum('nowconnect_buffered_bytes') === 0 &&
          metrics.sum('nowconnect_tunnels') === AGENTS + 1
        );
      });
      await waitFor('the descriptors of the streams to be closed', () => fdCount(hub.pid) <= fds - AGENTS);
    });
  });
