import type { Socket } from 'node:net';
import { expect } from 'chai';
import { startBlackHole } from '../support/black-hole.js';
import type { Daemon } from '../support/daemon.js';
import { fdCount } from '../support/fds.js';
import { Owner } from '../support/owner.js';
import { startRelay, type Relay } from '../support/relay.js';
import { connectTo, exchangeOnce } from '../support/tcp-client.js';
import { exchange, startTarget, type ExchangeReport } from '../support/tcp-targets.js';
import { waitFor } from '../support/wait-for.js';

const OPENS = 1000;
const ROUNDS = process.env['NC_PROVE'] === undefined ? 3 : 100;
/** Descriptors that come and go by themselves, such as that of the scrape or the health probe just before. */
const FD_SLACK = 3;

describe(`${OPENS} clients that leave while their target is being dialled, ${ROUNDS} times`, function () {
  this.timeout(60_000 + ROUNDS * 30_000);

  const owner = new Owner();
  const reports = new Map<string, Promise<ExchangeReport>>();
  let relay: Relay;
  before(async () => {
    const hole = await owner.own(startBlackHole());
    const live = await owner.own(startTarget(exchange(reports)));
    const timeouts = { limits: { connect_timeout_ms: 60_000 } };
    relay = await startRelay(
      owner,
      { hole: hole.port, live: live.port },
      { hub: { config: timeouts }, agent: { config: timeouts } },
    );
  });
  after(() => owner.stop());

  const small = { upBytes: 1000, downBytes: 1000 };
  const daemons = (): Daemon[] => [relay.hub, relay.agent];
  const active = async (): Promise<number> =>
    (await relay.hub.metrics()).sum('nowconnect_tcp_active_connections', { connector: 'hole' });

  it('leave no descriptor, no stream and no count behind', async () => {
    await exchangeOnce({ port: relay.hub.port('live'), ...small }, reports);
    await relay.agent.metrics();
    const baseline = daemons().map(({ pid }) => fdCount(pid));

    for (let round = 1; round <= ROUNDS; round += 1) {
      const clients: Socket[] = await Promise.all(
        Array.from({ length: OPENS }, () => connectTo(relay.hub.port('hole'))),
      );
      for (const client of clients) client.on('error', () => {});
      // The dials are really under way: one socket each at the agent, and one at the hub.
      await waitFor(
        `${OPENS} dials in round ${round}`,
        () => daemons().every(({ pid }, index) => fdCount(pid) >= baseline[index]! + OPENS - FD_SLACK),
        { timeoutMs: 20_000 },
      );
      // The slack above may be descriptors of the last clients.
      await waitFor(`${OPENS} streams in round ${round}`, async () => (await active()) === OPENS);

      for (const client of clients) client.resetAndDestroy();
      await waitFor(`no stream after round ${round}`, async () => (await active()) === 0, {
        timeoutMs: 20_000,
      });
      await waitFor(
        `the descriptors of before after round ${round}`,
        () => daemons().every(({ pid }, index) => fdCount(pid) <= baseline[index]! + FD_SLACK),
        { timeoutMs: 20_000 },
      );
    }
    // Both still work, and on the tunnel they had.
    await exchangeOnce({ port: relay.hub.port('live'), ...small }, reports);
    // The acknowledgement of its last bytes may still be on its way.
    await waitFor(
      'nothing to be buffered',
      async () => (await relay.hub.metrics()).sum('nowconnect_buffered_bytes') === 0,
    );
    const metrics = await relay.hub.metrics();
    expect(metrics.sum('nowconnect_tunnels')).to.equal(1);
    expect(metrics.sum('nowconnect_tunnel_connects_total', { result: 'connected' })).to.equal(1);
  });
});
