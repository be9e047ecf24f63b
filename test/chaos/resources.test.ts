import { closeSync, constants, openSync, readFileSync, readSync, statfsSync, truncateSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { giveDescriptorsBack, leaveDescriptors } from '../support/chaos-descriptors.js';
import { startScene, type ChaosScene } from '../support/chaos-scene.js';
import { fdCount } from '../support/fds.js';
import { startAgent, startHub } from '../support/hub-agent.js';
import { Owner } from '../support/owner.js';
import { run, runOk } from '../support/processes.js';
import { connectError, connectTo, expectEcho } from '../support/tcp-client.js';
import { echo, portOf, startTarget } from '../support/tcp-targets.js';
import { tempDir } from '../support/temp-dir.js';
import { waitFor } from '../support/wait-for.js';

/** How a reset looks to its receiver: EPIPE when it was writing at that moment. */
const RESETS = ['ECONNRESET', 'EPIPE'];

const SIDES = ['hub', 'agent'] as const;

describe('no file descriptors are left (EMFILE)', function () {
  this.timeout(60_000);

  const LEFT = 8;
  const CLIENTS = 40;
  let scene: ChaosScene;
  before(async () => {
    scene = await startScene();
  });
  after(() => scene.stop());

  for (const side of SIDES) {
    it(`${side}: some clients are served, the others reset; nobody else notices, and it passes`, async () => {
      await scene.startBystander();
      const { pid } = scene[side];
      await leaveDescriptors(pid, LEFT);
      const served: Socket[] = [];
      const turnedAway: string[] = [];
      try {
        for (let n = 0; n < CLIENTS; n += 1) {
          try {
            const client = await connectTo(scene.hub.port('echo'));
            await expectEcho(client, `client ${n}`);
            served.push(client);
          } catch (error) {
            turnedAway.push((error as NodeJS.ErrnoException).code ?? String(error));
          }
        }
        expect(served.length).to.be.within(1, LEFT);
        expect(served.length + turnedAway.length).to.equal(CLIENTS);
        expect(turnedAway).to.not.have.lengthOf(0);
        for (const how of turnedAway) expect(how).to.be.oneOf(RESETS);
        for (const client of served) await expectEcho(client, 'still served');
      } finally {
        await giveDescriptorsBack(pid);
        for (const client of served) client.destroy();
      }
      const late = await connectTo(scene.hub.port('echo'));
      await expectEcho(late, 'there are descriptors again');
      late.destroy();
      if (side === 'agent') {
        const failed = await scene.agent.waitEvent('target_failed');
        expect(failed).to.include({ reason: 'limit' });
        expect(String(failed['why'])).to.include('LimitNOFILE');
      }
      await scene.finishBystander();
      await scene.settled();
    });
  }
});

/** Opens and ends 20 streams: either side logs two lines of some 250 bytes about each. */
async function talk(scene: ChaosScene): Promise<void> {
  await Promise.all(Array.from({ length: 20 }, () => scene.transfer(1, 10)));
}

/** Talks until the daemons have logged at least that much about it. */
async function talkUntil(scene: ChaosScene, enough: () => boolean): Promise<void> {
  for (let round = 0; round < 100 && !enough(); round += 1) await talk(scene);
  expect(enough(), 'the log to be full').to.equal(true);
}

describe('the disk of the log is full', function () {
  this.timeout(60_000);

  const DISK_BYTES = 64 * 1024;

  /** A folder on a disk of its own where the system lets us have one. */
  async function tinyDisk(): Promise<{ folder: string; remove: () => Promise<unknown> } | undefined> {
    const folder = tempDir('tiny-disk');
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', folder]);
    return mounted.code === 0 ? { folder, remove: () => runOk('umount', ['-l', folder]) } : undefined;
  }

  for (const side of SIDES) {
    it(`${side}: goes on without its log, and logs again when there is room`, async () => {
      const disk = await tinyDisk();
      // Without the right to mount, the device that is always full has to do.
      const file = disk ? join(disk.folder, 'log') : '/dev/full';
      let scene: ChaosScene | undefined;
      try {
        scene = await startScene({ [`${side}Launcher`]: ['sh', '-c', 'exec "$@" 2>>"$0"', file] });
        await scene.startBystander();
        if (disk) await talkUntil(scene, () => statfsSync(disk.folder).bavail === 0);
        // The last page of a full disk still takes some lines: these are more than fit into it.
        for (let round = 0; round < 2; round += 1) await talk(scene);
        await scene.transfer(4, 1_000_000);
        await scene.finishBystander();
        await scene.settled();
        if (!disk) return;
        const closed = (await scene[side].metrics()).sum('nowconnect_streams_closed_total');
        const logged = readFileSync(file, 'utf8').split('"event":"stream_closed"').length - 1;
        expect(closed - logged, 'streams whose line was lost').to.be.at.least(10);
        truncateSync(file);
        const running = scene;
        await waitFor(
          'new lines, and a word about the lost ones',
          async () => {
            await running.transfer(1, 1000);
            return /"event":"log_lines_dropped".*"event":"stream_closed"/s.test(readFileSync(file, 'utf8'));
          },
          { intervalMs: 300, timeoutMs: 40_000 },
        );
      } finally {
        await scene?.stop();
        await disk?.remove();
      }
    });
  }
});

describe('nobody reads stdout and stderr', function () {
  this.timeout(60_000);

  /** What a pipe takes before a write to it would wait: 64 KiB in pages, which are not all filled. */
  const PIPE_BYTES = 64 * 1024;

  for (const side of SIDES) {
    it(`${side}: does not wait for its log, and loses no byte of a stream`, async () => {
      const fifo = join(tempDir('blocked-log'), 'fifo');
      await runOk('mkfifo', [fifo]);
      const scene = await startScene({ [`${side}Launcher`]: ['sh', '-c', 'exec "$@" 2<>"$0" >&2', fifo] });
      // The daemon holds both ends of the pipe; this third one looks at what is in it, at the end.
      const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        await scene.startBystander();
        const [before] = [(await scene.hub.metrics()).sum('nowconnect_tcp_connections_total')];
        // Three times what the pipe takes.
        for (let round = 0; round < 20; round += 1) await talk(scene);
        const streams = (await scene.hub.metrics()).sum('nowconnect_tcp_connections_total') - before;
        expect(streams).to.be.at.least(400);
        await scene.transfer(4, 1_000_000);
        const { longestGapMs } = await scene.finishBystander();
        expect(longestGapMs).to.be.below(3000);
        await scene.settled();
        // A full pipe, and more that comes once there is room: the daemon was in danger of waiting, and did not.
        expect(readSync(reader, Buffer.alloc(2 * PIPE_BYTES))).to.be.above(PIPE_BYTES / 2);
        await waitFor('the rest to follow', () => readSync(reader, Buffer.alloc(PIPE_BYTES)) > 0);
      } finally {
        closeSync(reader);
        await scene.stop();
      }
    });
  }
});

describe('a port is in use', function () {
  this.timeout(60_000);

  /** A process may take so long to start on a busy machine. */
  const START_MS = 40_000;

  const owner = new Owner();
  let taken: Server;
  let port: number;
  beforeEach(async () => {
    taken = createServer();
    await new Promise<void>((resolve) => taken.listen({ host: '127.0.0.1', port: 0 }, resolve));
    port = portOf(taken);
  });
  afterEach(async () => {
    taken.close();
    await owner.stop();
  });

  for (const [what, config] of [
    ['tunnel.port', (inUse: number) => ({ tunnel: { port: inUse } })],
    ['observability.metrics_port', (inUse: number) => ({ observability: { metrics_port: inUse } })],
  ] as const) {
    it(`hub, ${what}: it ends with 1 and names the port and the key`, async () => {
      const options = { listeners: { web: {} }, config: config(port), noWait: true };
      const hub = await owner.own(startHub(options));
      expect(await hub.child.waitExit(START_MS)).to.deep.equal({ code: 1, signal: null });
      expect(hub.child.stderr).to.include(String(port)).and.to.include(what);
    });
  }

  it('agent, observability.health_port: it ends with 1 and names the port and the key', async () => {
    const agent = await owner.own(
      startAgent({
        hub: 'wss://localhost:1/tunnel',
        targets: { web: 1 },
        config: { observability: { health_port: port } },
        noWait: true,
      }),
    );
    expect(await agent.child.waitExit(START_MS)).to.deep.equal({ code: 1, signal: null });
    expect(agent.child.stderr).to.include(String(port)).and.to.include('health_port');
  });

  it('a reload that wants it changes nothing; a stream goes on, and a later reload gets it', async () => {
    const target = await owner.own(startTarget(echo));
    const hub = await owner.own(startHub({ listeners: { old: {} } }));
    const targets = { old: target.port, wanted: target.port };
    await owner.own(startAgent({ hub, targets }));
    const client = await connectTo(hub.port('old'));
    await expectEcho(client, 'before');
    const fds = fdCount(hub.pid);
    await hub.rewrite({ old: {}, wanted: { bind: `127.0.0.1:${port}` } });
    hub.child.signal('SIGHUP');
    const rejected = await hub.waitEvent('config_rejected');
    expect(JSON.stringify(rejected)).to.include(String(port));
    await expectEcho(client, 'after the reload');
    await waitFor('the descriptors of before', () => fdCount(hub.pid) === fds);
    expect(await connectError(port)).to.equal('connected');

    await new Promise((resolve) => taken.close(resolve));
    hub.child.signal('SIGHUP');
    await hub.waitEvent('config_reloaded');
    const late = await connectTo(port);
    await expectEcho(late, 'through the port that was in use');
    await expectEcho(client, 'after the second reload');
  });
});
