import { expect } from 'chai';
import { connect, type Socket } from 'node:net';
import { giveDescriptorsBack, leaveDescriptors } from '../support/chaos-descriptors.js';
import type { LogEvent } from '../support/daemon.js';
import { startHub, type Hub } from '../support/hub-agent.js';
import { waitFor } from '../support/wait-for.js';

const SPELL_MS = 5000;

function ignore(): void {
  // Most of them are turned away: that is the point.
}

describe('a hub without file descriptors', function () {
  this.timeout(60_000);
  let hub: Hub;
  const clients: Socket[] = [];
  before(async () => {
    hub = await startHub({ listeners: { web: { wait_for_agent_ms: 60_000 } } });
  });
  after(async () => {
    for (const client of clients) client.destroy();
    await hub.stop();
  });

  const told = (): readonly LogEvent[] => hub.events('accept_error');
  /** Waits until so many spells were told of. */
  const waitSpell = (spells: number): Promise<unknown> =>
    hub.waitEvent('accept_error', () => told().length === spells);

  /** Takes all of them, as too many clients would. */
  async function spend(): Promise<void> {
    await leaveDescriptors(hub.pid, 4);
    for (let count = 0; count < 20; count += 1)
      clients.push(connect({ host: '127.0.0.1', port: hub.port('web') }).on('error', ignore));
  }

  const errors = async (): Promise<number> =>
    (await hub.metrics()).sum('nowconnect_listener_accept_errors_total');

  async function giveBack(): Promise<void> {
    for (const client of clients.splice(0)) client.destroy();
    await giveDescriptorsBack(hub.pid);
    let last = -1;
    await waitFor('the count to stand still', async () => last === (last = await errors()), {
      intervalMs: 1200,
    });
  }

  it('says once in a spell what is wrong and what to do, and counts', async () => {
    await spend();
    await waitSpell(1);
    // It looks once a second, and nobody can ask it how often it has: the spell lasts for several looks.
    const since = performance.now();
    await waitFor('some looks', () => performance.now() - since > SPELL_MS);
    await giveBack();
    expect(await errors(), 'looks that found none').to.be.at.least(3);
    const [line] = told();
    expect(told()).to.have.length(1);
    expect(line?.['why']).to.include('EMFILE');
    expect(line?.['hint']).to.include('LimitNOFILE');
    expect(line?.['limit']).to.be.a('number').within(10, 4095);
  });

  it('says it again in the next spell', async () => {
    await spend();
    await waitSpell(2);
    await giveBack();
  });
});
