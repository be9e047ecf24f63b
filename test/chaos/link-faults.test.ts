import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { startBystander } from '../support/chaos-bystander.js';
import type { Cut } from '../support/chaos-proxy.js';
import type { Direction } from '../support/chaos-leg.js';
import { QUICK_PINGS, startScene, type ChaosScene } from '../support/chaos-scene.js';
import { MEBIBYTE } from '../support/files.js';
import { waitFor } from '../support/wait-for.js';

/** The longest silence that a bystander may see, on a machine that is busy with the test. */
const GAP_MS = 3000;

/** Streams that run through each fault, and their bytes each way. */
const STREAMS = 4;
const BYTES = 4 * MEBIBYTE;

const FLAPS = 100;
/** Has no divisor in common with FLAPS: every point has its turn. */
const FLAP_STRIDE = 37;
/** The handshakes of TLS, WebSocket and session and the stream tables take some 4,000 bytes each way. */
const CUT_WITHIN_BYTES = 12_000;

/** Every fault of the path between agent and hub: the tunnel drops, the streams do not notice. */
describe('the path of a tunnel breaks', function () {
  this.timeout(180_000);

  let scene: ChaosScene;
  let resumedBefore: number;
  before(async () => {
    scene = await startScene({
      hub: { tunnel: { ...QUICK_PINGS, resume_grace_sec: 30 } },
      agent: { tunnel: QUICK_PINGS },
    });
  });
  after(() => scene.stop());
  beforeEach(async () => {
    resumedBefore = scene.hubEvents('session_resumed').length;
    await scene.startBystander();
  });
  afterEach(async () => {
    scene.proxy.heal();
    const { longestGapMs } = await scene.finishBystander();
    expect(longestGapMs).to.be.below(GAP_MS);
    await scene.settled();
  });

  const resumes = (): number => scene.hubEvents('session_resumed').length - resumedBefore;

  /** So many resumes, not one more. The last byte can be here before the line of the hub's log. */
  async function expectResumes(count: number): Promise<void> {
    await scene.hub.alive(`${count} resumes`, () => resumes() >= count);
    expect(resumes()).to.equal(count);
  }

  for (const how of ['rst', 'fin'] as const satisfies readonly Cut[]) {
    it(`${how.toUpperCase()}: every byte arrives over the next link`, async () => {
      const cutsBefore = scene.proxy.counts.cuts[how];
      const transfer = scene.transfer(STREAMS, BYTES);
      await scene.proxy.cutAfter('toHub', 2 * MEBIBYTE + 12_345, how);
      await transfer;
      expect(scene.proxy.counts.cuts[how]).to.equal(cutsBefore + 1);
      await expectResumes(1);
    });
  }

  it('RST while half-closed streams still get their answers', async () => {
    const transfers = [
      scene.transfer(2, 1000, BYTES, { afterFin: true }),
      scene.transfer(2, BYTES, 1000, { afterTargetFin: true }),
    ];
    await scene.proxy.cutAfter('toHub', MEBIBYTE, 'rst');
    await Promise.all(transfers);
    await expectResumes(1);
  });

  for (const directions of [['toHub', 'toAgent'], ['toHub'], ['toAgent']] as const satisfies Direction[][]) {
    const name = directions.length === 2 ? 'both ways' : directions[0];
    it(`black hole ${name}: noticed by silence, and the session goes on over another link`, async () => {
      const { counts } = scene.proxy;
      const forwardedBefore = counts.toHub.forwarded;
      const heldBefore = directions.map((direction) => counts[direction].heldWhileFrozen);
      const resumed = scene.hubEvents('session_resumed').length;
      const transfer = scene.transfer(STREAMS, BYTES);
      await waitFor('the transfer to run', () => counts.toHub.forwarded > forwardedBefore + MEBIBYTE);
      scene.proxy.freezeOpen(...directions);
      await scene.nextHubEvent('session_resumed', resumed);
      directions.forEach((direction, n) =>
        expect(counts[direction].heldWhileFrozen).to.be.above(heldBefore[n]!),
      );
      // What was held comes late, from a link that was given up: nobody may believe it.
      scene.proxy.thaw();
      await transfer;
      await expectResumes(1);
    });
  }

  it('frozen, then everything at once: no byte is lost, and the tunnel need not even drop', async () => {
    const { toHub, toAgent } = scene.proxy.counts;
    const heldBefore = toHub.heldWhileFrozen + toAgent.heldWhileFrozen;
    const forwardedBefore = toHub.forwarded;
    // So slow that there is always something on its way.
    scene.proxy.setPath({ bytesPerSecond: 10_000_000 });
    const transfer = scene.transfer(STREAMS, BYTES);
    for (let round = 0; round < 3; round += 1) {
      const before = toHub.forwarded;
      await waitFor('bytes to flow', () => toHub.forwarded > before + BYTES / 16);
      scene.proxy.freeze();
      expect(toHub.forwarded - forwardedBefore).to.be.below(STREAMS * BYTES);
      await delay(1000);
      scene.proxy.thaw();
    }
    await transfer;
    expect(toHub.heldWhileFrozen + toAgent.heldWhileFrozen).to.be.above(heldBefore);
    await expectResumes(0);
  });

  it('1-byte slices: every byte arrives, and the tunnel stays', async () => {
    const writesBefore = scene.proxy.counts.toHub.writes;
    scene.proxy.setPath({ sliceBytes: 1 });
    await scene.transfer(2, 20_000);
    expect(scene.proxy.counts.toHub.writes - writesBefore).to.be.above(40_000);
    await expectResumes(0);
  });

  it('1 Mbit/s: a queue of bulk is no reason to think the peer dead', async () => {
    const delayedBefore = scene.proxy.counts.toHub.delayed;
    scene.proxy.setPath({ bytesPerSecond: 125_000 });
    const started = performance.now();
    await scene.transfer(2, 400_000);
    // 800,000 bytes each way, less what the first burst let through.
    expect(performance.now() - started).to.be.above(6000);
    expect(scene.proxy.counts.toHub.delayed).to.be.above(delayedBefore);
    await expectResumes(0);
  });

  it('flapping 100 times: cut in the handshake, in the exchange of tables, in the replay; no byte is lost', async () => {
    const { cuts } = scene.proxy.counts;
    const cutsBefore = cuts.rst + cuts.fin;
    // Talks all the time, so that there is always something to cut.
    const talker = await startBystander(scene.hub.port('echo'));
    const transfer = scene.transfer(STREAMS, BYTES);
    await scene.proxy.cutAfter('toHub', MEBIBYTE, 'rst');
    for (let flap = 1; flap <= FLAPS; flap += 1) {
      // From the first byte of the TLS handshake to well behind the stream tables; in such an order that links which
      // come to stand follow on links which do not: the grace is for one spell, and each attempt may take a second.
      const point = ((flap * FLAP_STRIDE) % FLAPS) + 1;
      const direction = point % 2 === 0 ? 'toHub' : 'toAgent';
      const at = Math.round((point * CUT_WITHIN_BYTES) / FLAPS);
      await scene.proxy.cutNext(direction, at, point % 3 === 0 ? 'fin' : 'rst');
    }
    await transfer;
    expect(cuts.rst + cuts.fin - cutsBefore).to.equal(FLAPS + 1);
    await talker.finish();
    expect(scene.hubEvents('session_expired')).to.have.lengthOf(0);
    expect(scene.hubEvents('agent_connected')).to.have.lengthOf(1);
    expect(scene.agent.events('tunnel_lost')).to.have.lengthOf(0);
  });
});
