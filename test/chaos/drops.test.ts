import { expect } from 'chai';
import { ChaosLoad } from '../support/chaos-load.js';
import type { Direction } from '../support/chaos-leg.js';
import type { Cut } from '../support/chaos-proxy.js';
import { seededRandom } from '../support/chaos-random.js';
import { startScene, type ChaosScene } from '../support/chaos-scene.js';
import { waitFor, within } from '../support/wait-for.js';

const PROVE = process.env['NC_PROVE'] !== undefined;
const DROPS = PROVE ? 1000 : 30;
const STREAMS = 64;
/** Re-attach on loopback, from the cut to the resume that the hub counts. */
const REATTACH_MS = 2000;
const CUT_WITHIN_BYTES = 1_000_000;

describe(`${DROPS} drops at random moments under the load of ${STREAMS} streams`, function () {
  this.timeout(DROPS * 5000 + 120_000);

  let scene: ChaosScene;
  before(async () => {
    scene = await startScene({
      // Two lines a stream would be most of the work.
      hub: { observability: { log_level: 'warn' } },
      agent: { observability: { log_level: 'warn' } },
      // A resume that takes long on a busy machine is no fault of those who come meanwhile.
      listener: { wait_for_agent_ms: 30_000 },
    });
  });
  after(() => scene.stop());

  const resumes = async (): Promise<number> =>
    (await scene.hub.metrics()).sum('nowconnect_session_resumes_total', { result: 'resumed' });

  it(`0 bytes are wrong, every end is of the right kind, and re-attach ${PROVE ? 'p99 is within 2 s' : 'is told'}`, async () => {
    const random = seededRandom();
    tell(`      seed ${random.seed} (NC_SEED=${random.seed} runs the same again)`);
    const { cuts } = scene.proxy.counts;
    scene.proxy.setPath({ bytesPerSecond: 20_000_000 });
    await scene.startBystander();
    const load = new ChaosLoad({
      random,
      streams: STREAMS,
      exchangePort: scene.hub.port('exchange'),
      reports: scene.reports,
      resetPort: scene.hub.port('resets'),
    });
    const reattachMs: number[] = [];
    for (let drop = 0; drop < DROPS; drop += 1) {
      const before = await resumes();
      const how = random.pick<Cut>(['rst', 'fin']);
      const direction = random.pick<Direction>(['toHub', 'toAgent']);
      const fired = scene.proxy.cutAfter(direction, random.below(CUT_WITHIN_BYTES), how);
      await within(30_000, `drop ${drop} to fire`, fired);
      const cutAt = performance.now();
      await waitFor(`resume ${drop}`, async () => (await resumes()) > before, { timeoutMs: 30_000 });
      reattachMs.push(performance.now() - cutAt);
    }
    await load.stop();
    scene.proxy.heal();
    reattachMs.sort((a, b) => a - b);
    const at = (share: number): number =>
      Math.round(reattachMs[Math.ceil(share * reattachMs.length) - 1] ?? NaN);
    const replayed = (await scene.hub.metrics()).sum('nowconnect_replayed_bytes_total');
    tell(
      `      ${load.counts.bytes} bytes in ${JSON.stringify(load.counts.streams)}, ${replayed} replayed by the hub; ` +
        `re-attach ms p50 ${at(0.5)} p99 ${at(0.99)} max ${at(1)}`,
    );
    expect(load.faults, load.faults.slice(0, 10).join('\n')).to.have.lengthOf(0);
    expect(cuts.rst + cuts.fin).to.equal(DROPS);
    for (const [kind, count] of Object.entries(load.counts.streams)) expect(count, kind).to.be.above(0);
    expect(replayed).to.be.above(0);
    // A few drops tell about the machine, not about us.
    if (PROVE) expect(at(0.99)).to.be.at.most(REATTACH_MS);
    expect(
      (await scene.hub.metrics()).sum('nowconnect_session_resumes_total', { result: 'expired' }),
    ).to.equal(0);
    await scene.finishBystander();
    await scene.settled();
  });
});

/** A figure or a seed for whoever reads the run. */
function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}
