import { expect } from 'chai';
import { startBlackHole } from '../support/black-hole.js';
import { fdCount } from '../support/fds.js';
import { freePort } from '../support/free-port.js';
import { startAgent, startHub, type Agent, type Hub } from '../support/hub-agent.js';
import { startBystander } from '../support/chaos-bystander.js';
import { Owner } from '../support/owner.js';
import { attempt } from '../support/tcp-client.js';
import { echo, startTarget } from '../support/tcp-targets.js';
import { waitFor } from '../support/wait-for.js';

const ATTEMPTS = 20;
const DIAL_TIMEOUT_MS = 500;

/** Targets that cannot be reached: each client is reset with the reason in the log, nobody else notices. */
describe('a target is not there', function () {
  this.timeout(120_000);

  const owner = new Owner();
  let hub: Hub;
  let agent: Agent;
  before(async () => {
    const alive = await owner.own(startTarget(echo));
    const hole = await owner.own(startBlackHole());
    const dial = { connect_timeout_ms: DIAL_TIMEOUT_MS };
    hub = await owner.own(
      startHub({ listeners: { alive: {}, refused: {}, blackhole: {}, unresolvable: {} } }),
    );
    agent = await owner.own(
      startAgent({
        hub,
        // Whatever the resolver of this machine is told: nobody waits for minutes, and no search list makes it a name.
        env: { LOCALDOMAIN: '', RES_OPTIONS: 'timeout:1 attempts:1' },
        targets: {
          alive: alive.port,
          refused: { host: '127.0.0.1', port: await freePort() },
          blackhole: { host: '127.0.0.1', port: hole.port, ...dial },
          // RFC 6761: a name under .invalid never resolves.
          unresolvable: { host: 'no-such-host.invalid', port: 1, ...dial },
        },
      }),
    );
  });
  after(() => owner.stop());

  for (const [connector, reasons] of [
    ['refused', ['connect_refused']],
    ['blackhole', ['connect_timeout']],
    // Where nobody answers for names, the deadline comes first.
    ['unresolvable', ['dns_failed', 'connect_timeout']],
  ] as const) {
    it(`${connector}: ${ATTEMPTS} clients are reset, a stream beside them does not notice`, async () => {
      const bystander = await startBystander(hub.port('alive'));
      const fds = fdCount(agent.pid);
      const started = performance.now();
      const endings = await Promise.all(Array.from({ length: ATTEMPTS }, () => attempt(hub.port(connector))));
      expect(new Set(endings.map(({ how }) => how))).to.deep.equal(new Set(['ECONNRESET']));
      expect(performance.now() - started).to.be.below(8000);
      if (connector === 'blackhole') {
        expect(performance.now() - started).to.be.at.least(DIAL_TIMEOUT_MS - 50);
      }
      const failed = await hub.alive('a line for each of them', () => {
        const lines = hub.events('stream_open_failed').filter((event) => event['connector'] === connector);
        return lines.length === ATTEMPTS && lines;
      });
      for (const { reason } of failed) expect(reason).to.be.oneOf(reasons);
      const metrics = await agent.metrics();
      expect(
        metrics.sum('nowconnect_streams_closed_total', { connector }) -
          metrics.sum('nowconnect_streams_closed_total', { connector, reason: 'finished' }),
      ).to.equal(ATTEMPTS);
      await bystander.finish();
      // Where nobody answers for names, the resolver keeps its sockets after the deadline: nobody can call it back.
      await waitFor('the descriptors to be closed', () => fdCount(agent.pid) <= fds, { timeoutMs: 60_000 });
      await hub.alive(
        'no stream to be left',
        async () => (await hub.metrics()).sum('nowconnect_tcp_active_connections') === 0,
      );
    });
  }
});
