/** Streams side by side over one tunnel in full flow, each with bytes of its own: not one may stray, whoever is slow or lost. */
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { BlockPool, blocks } from '../../../transport/block-pool.js';
import { newKey, receiveKeyed, sendKeyed } from '../../support/keyed-stream.js';
import { createPki, type Certificate, type Pki } from '../../support/pki.js';
import { connectTo } from '../../support/tcp-client.js';
import { encodeRequest, exchange, type ExchangeReport } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import type { HubChanges } from '../../unit/hub/bench.js';
import { CutProxy } from '../relay/cut-proxy.js';
import { Site, useSite, type AgentOptions } from '../relay/site.js';

const MIB = 1024 * 1024;
/** Long enough for the kernel's buffers to fill up. */
const NAP_MS = 250;
/** The first sleep goes on until more has come than the kernel takes, and at most so long. */
const FIRST_NAP_MS = 15_000;
const AWAKE_MS = 20;

/** Blocks that had to be held for a socket which did not take them at once; undefined: they are not counted. */
let held: number | undefined;

/** Reads by fits and starts until it is closed. */
function nap(socket: Socket): void {
  let timer: NodeJS.Timeout | undefined;
  const sleep = (ms: number): void => {
    socket.pause();
    timer = setTimeout(wake, ms);
  };
  const wake = (): void => {
    socket.resume();
    timer = setTimeout(() => sleep(NAP_MS), AWAKE_MS);
  };
  const full = async (): Promise<void> => {
    socket.pause();
    const asleep = performance.now();
    while (held === 0 && !socket.destroyed && performance.now() - asleep < FIRST_NAP_MS) await delay(50);
    if (!socket.destroyed) wake();
  };
  socket.once('close', () => clearTimeout(timer));
  void full();
}

describe('bytes of many streams in full flow', function () {
  this.timeout(60_000);
  let pki: Pki;
  let certificate: Certificate;
  let path: CutProxy | undefined;
  before(async () => {
    pki = await createPki();
    certificate = await pki.server('hub');
  });
  afterEach(async () => {
    // The agent first: it would dial on.
    for (const { agent } of used.site.agents) await agent.stopNow();
    await path?.stop();
    path = undefined;
  });
  const used = useSite();
  const reports = new Map<string, Promise<ExchangeReport>>();

  /** A site whose target reads every third connection by fits and starts. */
  async function start(
    changes: HubChanges,
    options: (site: Site) => AgentOptions | Promise<AgentOptions>,
  ): Promise<Site> {
    const site = (used.site = await Site.start({ web: {} }, changes));
    const serve = exchange(reports);
    let count = 0;
    const target = await site.target((socket) => {
      serve(socket);
      count += 1;
      // Behind the request, which is read in another way.
      if (count % 3 === 0) socket.once('data', () => nap(socket));
    });
    await site.agent({ web: target.port }, await options(site));
    return site;
  }

  /** Sends and receives that much, every byte checked at both ends; `slow` reads by fits and starts. */
  async function flow(site: Site, bytes: number, slow: boolean): Promise<void> {
    const [upKey, downKey] = [newKey(), newKey()];
    const socket = await connectTo(site.port('web'));
    try {
      const receiving = receiveKeyed(socket, downKey);
      receiving.catch(() => undefined);
      if (slow) nap(socket);
      socket.write(encodeRequest({ upKey, downKey, downBytes: bytes, afterFin: false }));
      const sent = await sendKeyed(socket, upKey, bytes);
      socket.end();
      const received = await receiving;
      const report = await reports.get(upKey.toString('hex'));
      expect({ up: report?.received, down: received }).to.deep.equal({
        up: { bytes, sha256: sent },
        down: { bytes, sha256: report?.sentSha256 },
      });
    } finally {
      socket.destroy();
    }
  }

  /** Counts the blocks that are held meanwhile. */
  async function heldDuring(work: () => Promise<unknown>): Promise<number> {
    let count = (held = 0);
    blocks.hold = (view): void => {
      held = count += 1;
      BlockPool.prototype.hold.call(blocks, view);
    };
    try {
      await work();
    } finally {
      Reflect.deleteProperty(blocks, 'hold');
      held = undefined;
    }
    return count;
  }

  const flows = (site: Site, streams: number, bytes: number): Promise<unknown> =>
    Promise.all(Array.from({ length: streams }, (_, index) => flow(site, bytes, index % 3 === 1)));

  for (const secure of [false, true]) {
    it(`are right beside sockets that take nothing for a while, ${secure ? 'TLS' : 'plain'}`, async () => {
      const tls = { ...certificate, clientCaFile: undefined, minVersion: 'TLSv1.3' } as const;
      // More than the kernel takes for a socket that sleeps: something has to wait.
      const limits = { windowBytes: 16 * MIB, maxWindowBytes: 16 * MIB };
      const site = await start({ limits, ...(secure && { tunnel: { tls } }) }, ({ hub, url }) => {
        if (!secure) return { url };
        const changes = { tunnel: { caFile: pki.caFile } };
        return { url: `wss://127.0.0.1:${hub.tunnelPort}/tunnel`, changes };
      });
      const waited = await heldDuring(() => flows(site, 15, 16 * MIB));
      expect(waited, 'blocks that waited').to.be.at.least(1);
    });
  }

  it('are right when the tunnel is lost and resumed, again and again, and others are reset meanwhile', async () => {
    const site = await start({}, async (started) => {
      path = await CutProxy.start(started.hub.tunnelPort);
      return { url: path.url };
    });
    const state = { over: false };
    const steady = flows(site, 12, 8 * MIB).finally(() => (state.over = true));
    steady.catch(() => undefined);
    /** Clients that go away in the middle of it. */
    const restless = async (): Promise<number> => {
      for (let count = 0; ; count += 1) {
        if (state.over) return count;
        const socket = await connectTo(site.port('web'));
        socket.write(
          encodeRequest({ upKey: newKey(), downKey: newKey(), downBytes: 8 * MIB, afterFin: false }),
        );
        void sendKeyed(socket, newKey(), 8 * MIB).catch(() => undefined);
        await new Promise((resolve) => void socket.once('data', resolve).once('close', resolve));
        socket.resetAndDestroy();
      }
    };
    const resets = restless();
    for (let cuts = 1; cuts <= 3 && !state.over; cuts += 1) {
      const carried = await site.scraped('tcp_bytes_total');
      await waitFor(
        'bytes to flow',
        async () => state.over || (await site.scraped('tcp_bytes_total')) > carried + 8 * MIB,
      );
      path?.cut();
      await waitFor('the session to be back', () => site.book.of('session_resumed').length >= cuts);
    }
    await steady;
    expect(site.book.of('session_resumed').length, 'resumed').to.be.at.least(2);
    expect(await resets, 'resets').to.be.above(3);
    // The last of them may not be acknowledged yet.
    await waitFor(
      'all to be finished',
      async () => (await site.scraped('streams_closed_total', { reason: 'finished' })) === 12,
    );
  });
});
