/** Bulk in both directions of a slow tunnel: each gets its part, and who types does not wait behind the queues of both. */
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { startChaosProxy, type ChaosProxy } from '../support/chaos-proxy.js';
import { startAgent, startHub, type Hub } from '../support/hub-agent.js';
import { Owner } from '../support/owner.js';
import { connectTo } from '../support/tcp-client.js';
import { echo, startTarget } from '../support/tcp-targets.js';

const PROVE = process.env['NC_PROVE'] !== undefined;
const LATENCY_MS = 20;
const BYTES_PER_SECOND = 6_250_000;
const ALONE_MS = 2000;
/** Many times ten seconds, in which the path is asked again: queues that feed each other take a minute to be seconds long. */
const BOTH_MS = 90_000;
const SHARE = 0.5;
/** The path, and a queue of three of its round trips in each direction at most. */
const SMALL_P90_MS = 7 * 2 * LATENCY_MS;

/** Writes whatever the socket takes. */
function flood(socket: Socket): void {
  const chunk = Buffer.alloc(64 * 1024, 7);
  const send = (): void => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', send);
  send();
}

// One of the long proofs: `npm run prove`.
if (PROVE)
  describe('bulk in both directions of 50 Mbit/s and 40 ms', function () {
    this.timeout(BOTH_MS + 60_000);

    const owner = new Owner();
    let hub: Hub;
    let proxy: ChaosProxy;
    let uploaded = 0;
    before(async () => {
      const duplex = await owner.own(
        startTarget((socket) => {
          socket.on('data', (part: Buffer) => (uploaded += part.length));
          flood(socket);
        }),
      );
      const small = await owner.own(startTarget(echo));
      hub = await owner.own(startHub({ listeners: { bulk: {}, small: {} } }));
      proxy = await owner.own(startChaosProxy({ targetPort: hub.tunnelPort }));
      proxy.setPath({ latencyMs: LATENCY_MS, bytesPerSecond: BYTES_PER_SECOND });
      const url = `wss://localhost:${proxy.port}/tunnel`;
      await owner.own(startAgent({ hub: url, targets: { bulk: duplex.port, small: small.port } }));
    });
    after(() => owner.stop());

    it(`carries ${SHARE * 100} % of the line at least in each, and a byte does not wait long`, async () => {
      const client = await connectTo(hub.port('bulk'));
      let downloaded = 0;
      client.on('data', (part: Buffer) => (downloaded += part.length));
      await delay(ALONE_MS);
      flood(client);
      await delay(ALONE_MS);
      const [downBefore, upBefore, started] = [downloaded, uploaded, performance.now()];
      const waits = await roundTrips(hub.port('small'), started + BOTH_MS);
      const ms = performance.now() - started;
      const share = (bytes: number): number => (bytes * 1000) / ms / BYTES_PER_SECOND;
      const [down, up] = [share(downloaded - downBefore), share(uploaded - upBefore)];
      client.destroy();
      const p90 = waits[Math.ceil(waits.length * 0.9) - 1] ?? NaN;
      process.stdout.write(
        `      down ${Math.round(down * 100)} %, up ${Math.round(up * 100)} %; a byte ms p50 ` +
          `${Math.round(waits[waits.length >> 1] ?? NaN)} p90 ${Math.round(p90)} max ${Math.round(waits.at(-1) ?? NaN)}\n`,
      );
      for (const { delayed } of [proxy.counts.toHub, proxy.counts.toAgent]) {
        expect(delayed, 'the path was slow').to.be.above(BYTES_PER_SECOND);
      }
      expect(Math.min(down, up)).to.be.at.least(SHARE);
      expect(p90).to.be.at.most(SMALL_P90_MS);
      expect(hub.events('session_suspended')).to.have.lengthOf(0);
    });
  });

/** Milliseconds of one byte there and back, one after the other until then; ascending. */
async function roundTrips(port: number, until: number): Promise<number[]> {
  const socket = await connectTo(port);
  socket.setNoDelay(true);
  const samples: number[] = [];
  while (performance.now() < until) {
    const at = performance.now();
    await new Promise<void>((resolve) => {
      socket.once('data', () => resolve());
      socket.write('1');
    });
    samples.push(performance.now() - at);
  }
  socket.destroy();
  return samples.sort((a, b) => a - b);
}
