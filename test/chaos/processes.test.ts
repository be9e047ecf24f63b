import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { QUICK_PINGS, startScene, type ChaosScene, type SceneOptions } from '../support/chaos-scene.js';
import type { Daemon, LogEvent } from '../support/daemon.js';
import { MEBIBYTE } from '../support/files.js';
import { startAgent, startHub } from '../support/hub-agent.js';
import { Owner } from '../support/owner.js';
import { connectTo, expectEcho, readToEnd } from '../support/tcp-client.js';
import { echo, startTarget } from '../support/tcp-targets.js';
import { waitFor } from '../support/wait-for.js';

const PROVE = process.env['NC_PROVE'] !== undefined;

/** How a reset looks to its receiver: EPIPE when it was writing at that moment. */
const RESETS = ['ECONNRESET', 'EPIPE'];
const STREAMS = 4;
const BYTES = 4 * MEBIBYTE;

/** A stopped process: `T` in its state. */
function isStopped({ pid }: Daemon): boolean {
  return /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

describe('kill -9 of the agent', function () {
  this.timeout(60_000);

  const GRACE_SEC = 3;
  let scene: ChaosScene;
  let client: Socket;
  async function start(graceSec: number): Promise<void> {
    scene = await startScene({
      hub: { tunnel: { ...QUICK_PINGS, resume_grace_sec: graceSec } },
      agent: { tunnel: QUICK_PINGS },
      // New clients wait for the fresh process, however long it takes to start.
      listener: { wait_for_agent_ms: 30_000 },
    });
    await scene.startBystander();
    client = await connectTo(scene.hub.port('echo'));
    await expectEcho(client, 'before');
  }
  afterEach(() => scene.stop());

  async function kill(): Promise<void> {
    scene.agent.child.signal('SIGKILL');
    expect(await scene.agent.child.waitExit()).to.deep.equal({ code: null, signal: 'SIGKILL' });
  }

  it('resets its streams after the grace: nobody can tell a dead process from a lost path', async () => {
    await start(GRACE_SEC);
    const ending = readToEnd(client);
    const started = performance.now();
    await kill();
    expect((await ending).how).to.equal('ECONNRESET');
    expect(performance.now() - started).to.be.within(GRACE_SEC * 1000 - 200, GRACE_SEC * 1000 + 3000);
    await scene.finishBystander();
    await scene.restartAgent();
    await scene.settled();
  });

  it('resets its streams at once when a fresh process connects, which serves new ones within a second', async () => {
    // The grace is no reason, however long the fresh process takes to start.
    await start(60);
    const ending = readToEnd(client, 50_000);
    await kill();
    const [connected, opened] = ['agent_connected', 'stream_opened'].map((e) => scene.hubEvents(e).length);
    const fresh = await connectTo(scene.hub.port('echo'));
    await scene.restartAgent();
    expect((await ending).how).to.equal('ECONNRESET');
    await expectEcho(fresh, 'served by the fresh process');
    // By the clock of the hub: how busy this process is says nothing about it.
    const timeOf = ({ time }: LogEvent): number => Date.parse(String(time));
    const up = timeOf(await scene.nextHubEvent('agent_connected', connected!));
    const served = timeOf(await scene.nextHubEvent('stream_opened', opened!));
    expect(served - up).to.be.within(0, 1000);
    fresh.destroy();
    await scene.finishBystander();
    await scene.settled();
  });
});

describe('kill -9 of the hub', function () {
  this.timeout(60_000);

  const owner = new Owner();
  afterEach(() => owner.stop());

  it('resets every stream at its target; the agent comes back by itself and serves new clients', async () => {
    const target = await owner.own(startTarget(echo));
    const config = { tunnel: { ...QUICK_PINGS, resume_grace_sec: 30 } };
    const hub = await owner.own(startHub({ listeners: { echo: {} }, config }));
    const agent = await owner.own(
      startAgent({ hub, targets: { echo: target.port }, config: { tunnel: QUICK_PINGS } }),
    );
    const client = await connectTo(hub.port('echo'));
    await expectEcho(client, 'before');
    const [socket] = [...target.sockets];
    const atTarget = readToEnd(socket!);
    await hub.stop();
    expect(hub.child.exit?.signal).to.equal('SIGKILL');
    await agent.waitEvent('session_suspended');

    const { tunnelPort } = hub;
    const next = await owner.own(startHub({ listeners: { echo: {} }, config, tunnelPort }));
    await next.waitTunnels(1, { timeoutMs: 30_000 });
    expect((await atTarget).how).to.be.oneOf(RESETS);
    await expectEcho(await connectTo(next.port('echo')), 'through the fresh hub');
    client.destroy();
  });
});

/** Default pings under prove: 20 s are less than the 25 s of silence that mean death. */
const STOP: { readonly sec: number; readonly options: SceneOptions } = PROVE
  ? { sec: 20, options: {} }
  : {
      sec: 5,
      options: {
        hub: { tunnel: { ...QUICK_PINGS, resume_grace_sec: 30 } },
        agent: { tunnel: QUICK_PINGS },
      },
    };

describe(`SIGSTOP for ${STOP.sec} s`, function () {
  this.timeout(STOP.sec * 3000 + 60_000);

  let scene: ChaosScene;
  before(async () => {
    scene = await startScene(STOP.options);
  });
  after(() => scene.stop());
  afterEach(async () => {
    scene.proxy.heal();
    await scene.settled();
  });

  /** Stops it in the middle of transfers; every byte has to arrive after it goes on. */
  async function stopped(daemon: Daemon, stopMs: number): Promise<void> {
    scene.proxy.setPath({ bytesPerSecond: 5_000_000 });
    const before = scene.proxy.counts.toHub.forwarded;
    const transfer = scene.transfer(STREAMS, BYTES);
    await waitFor('the transfer to run', () => scene.proxy.counts.toHub.forwarded > before + MEBIBYTE);
    daemon.child.signal('SIGSTOP');
    await waitFor('the process to stand still', () => isStopped(daemon));
    const [standsAt, started] = [scene.proxy.counts.toHub.forwarded, performance.now()];
    await delay(stopMs);
    expect(scene.proxy.counts.toHub.forwarded - before).to.be.below(STREAMS * BYTES);
    expect(performance.now() - started).to.be.at.least(stopMs - 10);
    daemon.child.signal('SIGCONT');
    await transfer;
    expect(scene.proxy.counts.toHub.forwarded).to.be.above(standsAt);
    expect(scene.hub.events('session_expired')).to.have.lengthOf(0);
    expect(scene.hubEvents('agent_connected')).to.have.lengthOf(1);
  }

  it('of the agent suspends at most, and every stream goes on', async () => {
    await scene.startBystander();
    await stopped(scene.agent, STOP.sec * 1000);
    await scene.finishBystander();
    if (!PROVE) expect(scene.hubEvents('session_resumed').length).to.be.at.least(1);
  });

  it('of the hub suspends at most, and every stream goes on', () => stopped(scene.hub, STOP.sec * 1000));
});

describe('a daemon that stands still for 3 s', function () {
  this.timeout(60_000);

  let scene: ChaosScene;
  before(async () => {
    scene = await startScene();
  });
  after(() => scene.stop());

  for (const side of ['hub', 'agent'] as const) {
    it(`does not cost the ${side} its tunnel with the default pings`, async () => {
      const client = await connectTo(scene.hub.port('echo'));
      await expectEcho(client, 'before');
      scene[side].child.signal('SIGSTOP');
      await waitFor('the process to stand still', () => isStopped(scene[side]));
      await delay(3000);
      scene[side].child.signal('SIGCONT');
      await expectEcho(client, 'after');
      client.destroy();
      expect(scene.hub.events('session_suspended')).to.have.lengthOf(0);
      await scene.settled();
    });
  }
});
