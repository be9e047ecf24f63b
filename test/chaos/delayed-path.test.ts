import { expect } from 'chai';
import { startChaosProxy, type ChaosProxy } from '../support/chaos-proxy.js';
import { MEBIBYTE } from '../support/files.js';
import { startAgent, startHub, type Hub } from '../support/hub-agent.js';
import { Owner } from '../support/owner.js';
import { connectTo } from '../support/tcp-client.js';
import { startTarget, type Target } from '../support/tcp-targets.js';
import { within } from '../support/wait-for.js';

const PROVE = process.env['NC_PROVE'] !== undefined;

/** One way; twice that is the round trip. */
const LATENCY_MS = 50;
/** Ample: a second of the fastest path below. */
const HELD_BYTES = 128 * MEBIBYTE;
const WARM_UP_MS = 6000;
const MEASURE_MS = 10_000;
const SHARE = 0.9;
/** Rates of the path, in Mbit/s. */
const RATES = [100, 200, 400];
/** The path that gets longer under a tunnel that stands, from and to milliseconds one way: both sides have to find out by themselves. */
const LONGER = [
  { from: 0, to: LATENCY_MS },
  { from: 20, to: 60 },
];
const FAR_MEGABITS = 200;
const LONG_WARM_UP_MS = 20_000;

/** One stream over a path that is far away, against a plain TCP connection over the same path. */

// One of the long proofs: `npm run prove`.
if (PROVE)
  describe('a stream over a path of 100 ms', function () {
    this.timeout(180_000);

    const owner = new Owner();
    let source: Target;
    let hub: Hub;
    let tunnelLeg: ChaosProxy;
    let direct: ChaosProxy;
    before(async () => {
      const chunk = Buffer.alloc(256 * 1024, 7);
      source = await owner.own(
        startTarget((socket) => {
          socket.resume();
          const send = (): void => {
            while (!socket.destroyed && socket.write(chunk));
          };
          socket.on('drain', send);
          send();
        }),
      );
      hub = await owner.own(startHub({ listeners: { data: {} } }));
      tunnelLeg = await owner.own(startChaosProxy({ targetPort: hub.tunnelPort, maxHeldBytes: HELD_BYTES }));
      direct = await owner.own(startChaosProxy({ targetPort: source.port, maxHeldBytes: HELD_BYTES }));
      // Before the agent connects: a session measures its round trip from the start.
      tunnelLeg.setPath({ latencyMs: LATENCY_MS });
      const url = `wss://localhost:${tunnelLeg.port}/tunnel`;
      await owner.own(startAgent({ hub: url, targets: { data: source.port } }));
    });
    after(() => owner.stop());

    /** Bytes a second that a client of this port gets, once windows have grown. */
    async function rateAt(port: number, warmUpMs = WARM_UP_MS): Promise<number> {
      const client = await connectTo(port);
      let bytes = 0;
      client.on('data', (part: Buffer) => (bytes += part.length));
      const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
      try {
        await within(warmUpMs + 5000, 'the windows to grow', pause(warmUpMs));
        const [before, started] = [bytes, performance.now()];
        await pause(MEASURE_MS);
        return ((bytes - before) * 1000) / (performance.now() - started);
      } finally {
        client.destroy();
      }
    }

    for (const megabits of RATES) {
      it(`${megabits} Mbit/s: reaches ${SHARE * 100} % of what plain TCP reaches`, async () => {
        const path = { latencyMs: LATENCY_MS, bytesPerSecond: (megabits * 1_000_000) / 8 };
        direct.setPath(path);
        tunnelLeg.setPath(path);
        const suspended = hub.events('session_suspended').length;
        const plain = await rateAt(direct.port);
        const tunnelled = await rateAt(hub.port('data'));
        process.stdout.write(
          `      ${megabits} Mbit/s path: plain ${megabit(plain)}, through the tunnel ${megabit(tunnelled)} ` +
            `(${Math.round((tunnelled / plain) * 100)} %)\n`,
        );
        for (const { counts } of [direct, tunnelLeg]) {
          expect(counts.toHub.delayed + counts.toAgent.delayed).to.be.above(0);
        }
        // The control: the path was as fast as it says, so that plain TCP is a fair measure.
        expect(plain * 8).to.be.above(megabits * 1_000_000 * 0.6);
        expect(tunnelled).to.be.at.least(plain * SHARE);
        expect(hub.events('session_suspended')).to.have.lengthOf(suspended);
      });
    }

    for (const { from, to } of LONGER)
      it(`a path that gets longer while the tunnel stands, ${2 * from} to ${2 * to} ms: windows and bounds follow`, async () => {
        const bytesPerSecond = from === 0 ? Infinity : (FAR_MEGABITS * 1_000_000) / 8;
        tunnelLeg.setPath({ latencyMs: from, bytesPerSecond });
        const resumed = hub.events('session_resumed').length;
        expect(tunnelLeg.cut('rst')).to.equal(1);
        await hub.waitEvent('session_resumed', () => hub.events('session_resumed').length > resumed);
        const suspended = hub.events('session_suspended').length;
        const near = await rateAt(hub.port('data'), 1000);
        const path = { latencyMs: to, bytesPerSecond: (FAR_MEGABITS * 1_000_000) / 8 };
        for (const proxy of [direct, tunnelLeg]) proxy.setPath(path);
        const plain = await rateAt(direct.port);
        const tunnelled = await rateAt(hub.port('data'), LONG_WARM_UP_MS);
        process.stdout.write(
          `      ${2 * from} ms: ${megabit(near)}; then ${FAR_MEGABITS} Mbit/s at ${2 * to} ms: plain ${megabit(plain)}, ` +
            `through the tunnel ${megabit(tunnelled)} (${Math.round((tunnelled / plain) * 100)} %)\n`,
        );
        // The control: the path was the near one before.
        expect(near).to.be.above(plain * (from === 0 ? 1 : 0.8));
        expect(tunnelled).to.be.at.least(plain * SHARE);
        expect(hub.events('session_suspended')).to.have.lengthOf(suspended);
      });
  });

const megabit = (bytesPerSecond: number): string => `${((bytesPerSecond * 8) / 1_000_000).toFixed(1)} Mbit/s`;
