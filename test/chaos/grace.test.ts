import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { QUICK_PINGS, startScene, type ChaosScene } from '../support/chaos-scene.js';
import { MEBIBYTE } from '../support/files.js';
import { connectTo, expectEcho, readToEnd } from '../support/tcp-client.js';
import { waitFor } from '../support/wait-for.js';

const PROVE = process.env['NC_PROVE'] !== undefined;

/**
 * Grace periods that are tried, in seconds; 60 is the default of the product. So much before its end a path that is back
 * must do, so much after it must not: a resume takes some round trips, and on a busy machine more than a second.
 */
const GRACES = [{ graceSec: 6, marginMs: 2000 }, ...(PROVE ? [{ graceSec: 60, marginMs: 1000 }] : [])];
/** A hub on a busy machine may hear so much later of a cut. */
const LATE_MS = 2000;
/** The agent tries at least once a second. */
const HELD_MS = 2000;

for (const { graceSec, marginMs } of GRACES) {
  describe(`a tunnel is away, resume_grace_sec ${graceSec}`, function () {
    this.timeout(graceSec * 3000 + 60_000);

    let scene: ChaosScene;
    let client: Socket;
    before(async () => {
      scene = await startScene({
        hub: { tunnel: { ...QUICK_PINGS, resume_grace_sec: graceSec } },
        agent: { tunnel: QUICK_PINGS },
      });
    });
    after(() => scene.stop());
    beforeEach(async () => {
      await scene.startBystander();
      client = await connectTo(scene.hub.port('echo'));
      await expectEcho(client, 'before');
    });
    afterEach(async () => {
      client.destroy();
      scene.proxy.heal();
      await scene.finishBystander();
      await scene.settled();
    });

    /**
     * Cuts the tunnel. New connections are refused, at last accepted and held, until the path is back after `silenceMs`:
     * so an attempt is on its way at that moment, and no deadline of an attempt has to do with it.
     */
    async function away(silenceMs: number): Promise<void> {
      const { counts } = scene.proxy;
      const { toHub, cuts } = counts;
      const [heldBefore, cutsBefore, refusedBefore] = [toHub.heldWhileFrozen, cuts.rst, counts.refused];
      scene.proxy.freeze();
      scene.proxy.admit('refuse');
      scene.proxy.cut('rst');
      await delay(silenceMs - HELD_MS);
      scene.proxy.admit('forward');
      await delay(HELD_MS);
      expect(cuts.rst).to.equal(cutsBefore + 1);
      expect(counts.refused).to.be.above(refusedBefore);
      expect(toHub.heldWhileFrozen).to.be.above(heldBefore);
      scene.proxy.thaw();
    }

    it(`for ${(graceSec * 1000 - marginMs) / 1000} s: the stream goes on`, async () => {
      const resumed = scene.hubEvents('session_resumed').length;
      const echoed = expectEcho(client, 'sent while the tunnel was away', graceSec * 1000 + 10_000);
      await away(graceSec * 1000 - marginMs);
      await echoed;
      const event = await scene.nextHubEvent('session_resumed', resumed);
      expect(event['suspended_ms']).to.be.within(graceSec * 1000 - marginMs - LATE_MS, graceSec * 1000);
    });

    it(`for ${(graceSec * 1000 + marginMs) / 1000} s: the stream is reset on both sides, with RST`, async () => {
      const expired = scene.hubEvents('session_expired').length;
      const ending = readToEnd(client, graceSec * 1000 + 30_000);
      const started = performance.now();
      const silence = away(graceSec * 1000 + marginMs);
      expect((await ending).how).to.equal('ECONNRESET');
      expect(performance.now() - started).to.be.within(graceSec * 1000 - 100, graceSec * 1000 + marginMs);
      await silence;
      await scene.nextHubEvent('session_expired', expired);
      await scene.agent.waitEvent('session_expired');
      // A fresh session serves new clients.
      await scene.hub.waitTunnels(2, { timeoutMs: 30_000 });
      await scene.transfer(1, MEBIBYTE);
    });
  });
}

describe('while a tunnel is away', function () {
  this.timeout(60_000);

  /** The agent tries at least once a second, and its handshake takes a while on a busy machine. */
  const WAIT_MS = 4000;
  let scene: ChaosScene;
  before(async () => {
    scene = await startScene({
      hub: { tunnel: { ...QUICK_PINGS, resume_grace_sec: 30 } },
      agent: { tunnel: QUICK_PINGS },
      listener: { wait_for_agent_ms: WAIT_MS },
    });
  });
  after(() => scene.stop());
  beforeEach(() => scene.startBystander());
  afterEach(async () => {
    scene.proxy.heal();
    await scene.finishBystander();
    await scene.settled();
  });

  /** Cuts the tunnel and keeps it away until the returned function is called and the agent has tried in vain. */
  async function loseTunnel(): Promise<() => Promise<void>> {
    const lost = scene.hubEvents('session_suspended').length;
    const { refused } = scene.proxy.counts;
    scene.proxy.admit('refuse');
    expect(scene.proxy.cut('rst')).to.equal(1);
    await scene.nextHubEvent('session_suspended', lost);
    return async () => {
      await waitFor('an attempt of the agent', () => scene.proxy.counts.refused > refused);
      scene.proxy.heal();
    };
  }

  it('a new client waits wait_for_agent_ms, is served when the tunnel is back in time', async () => {
    const back = await loseTunnel();
    const client = await connectTo(scene.hub.port('echo'));
    const echoed = expectEcho(client, 'came while it was away');
    await delay(400);
    await back();
    await echoed;
    client.destroy();
  });

  it('a new client is reset after wait_for_agent_ms when it is not', async () => {
    const back = await loseTunnel();
    const started = performance.now();
    const ending = await readToEnd(await connectTo(scene.hub.port('echo')));
    expect(ending.how).to.equal('ECONNRESET');
    expect(performance.now() - started).to.be.within(WAIT_MS - 100, WAIT_MS + 4000);
    await back();
  });

  it('clients are read until the window is full, and no further', async () => {
    const client = await connectTo(scene.hub.port('echo'));
    await expectEcho(client, 'before');
    const away = await loseTunnel();
    const chunk = Buffer.alloc(MEBIBYTE, 7);
    let written = 0;
    let taken = true;
    while (taken && written < 256) {
      client.write(chunk);
      written += 1;
      taken = await Promise.race([
        once(client, 'drain').then(() => true),
        delay(1500).then(() => client.writableLength === 0),
      ]);
    }
    expect(written).to.be.below(256);
    const held = (await scene.hub.metrics()).sum('nowconnect_buffered_bytes', { kind: 'send' });
    expect(held).to.be.within(1, 16 * MEBIBYTE);
    let echoed = 0;
    client.on('data', (bytes: Buffer) => (echoed += bytes.length));
    await away();
    await waitFor('all of it to come back', () => echoed === written * MEBIBYTE, { timeoutMs: 20_000 });
    client.destroy();
  });

  it('a client that leaves is forgotten at once, and its target hears of it when the tunnel is back', async () => {
    const client = await connectTo(scene.hub.port('echo'));
    await expectEcho(client, 'before');
    const back = await loseTunnel();
    client.resetAndDestroy();
    await scene.hub.alive(
      'one stream less',
      async () =>
        (await scene.hub.metrics()).sum('nowconnect_tcp_active_connections', { connector: 'echo' }) === 0,
    );
    await back();
    await scene.agent.alive(
      'the target to be let go',
      async () => (await scene.agent.metrics()).sum('nowconnect_tcp_active_connections') === 0,
    );
  });
});
