/**
 * The connection of a tunnel breaks at each byte of its handshake: HTTP upgrade, HELLO, HELLO_ACK, and the tables of streams
 * when it resumes. NC_PROVE=1 takes every position with RST and with FIN; otherwise a sample, at a prime stride.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import type { Direction } from '../../support/chaos-leg.js';
import { startChaosProxy, type ChaosProxy, type Cut } from '../../support/chaos-proxy.js';
import { startKeyedEcho, type KeyedEcho } from '../../support/keyed-echo.js';
import { echo } from '../../support/tcp-targets.js';
import { waitFor, within } from '../../support/wait-for.js';
import { PROVE, seedFor, tell } from '../../model/resume-seed.js';
import { Site, useSite, type SiteAgent } from './site.js';

const DIRECTIONS = ['toHub', 'toAgent'] as const satisfies readonly Direction[];
/** Agents that are cut at the same time, each at positions of its own: an attempt that fails is followed by a pause. */
const LANES = PROVE ? 12 : 4;
const STRIDE = PROVE ? 1 : 67;
const CUTS: readonly Cut[] = ['rst', 'fin'];
const PATIENCE_MS = 20_000;
/** What each stream says before each cut. */
const SAID_BYTES = 777;

interface Position {
  readonly direction: Direction;
  readonly at: number;
  readonly how: Cut;
}

/** One agent behind a proxy of its own, on a connector of its own. */
interface Lane {
  readonly name: string;
  readonly agent: SiteAgent;
  readonly proxy: ChaosProxy;
}

describe('a connection that breaks in the handshake of its tunnel', function () {
  this.timeout(PROVE ? 3_600_000 : 120_000);

  let lanes: Lane[] = [];
  afterEach(async () => {
    for (const { agent } of lanes) await agent.agent.stopNow();
    for (const { proxy } of lanes) await proxy.stop();
    lanes = [];
  });
  const held = useSite();

  async function startLanes(resumeGraceSec: number): Promise<Site> {
    const names = Array.from({ length: LANES }, (_, n) => `lane-${n}`);
    const listener = { waitForAgentMs: PATIENCE_MS };
    const listeners = Object.fromEntries(names.map((name) => [name, listener]));
    const site = (held.site = await Site.start(listeners, { tunnel: { resumeGraceSec } }));
    const { port } = await site.target(echo);
    for (const name of names) {
      const proxy = await startChaosProxy({ targetPort: site.hub.tunnelPort });
      const url = `ws://127.0.0.1:${proxy.port}/tunnel`;
      lanes.push({ name, proxy, agent: await site.agent({ [name]: port }, { agentId: name, url }) });
    }
    return site;
  }

  /** Waits until the agent's log has it; what was logged before is forgotten. */
  const logged = ({ name, agent }: Lane, event: string): Promise<unknown> =>
    waitFor(`${event} of ${name}`, () => agent.book.of(event).length > 0, {
      timeoutMs: PATIENCE_MS,
      intervalMs: 2,
    });
  const forget = ({ agent }: Lane): unknown => agent.book.lines.splice(0);

  /** Bytes of a handshake that nothing disturbs, while the streams are silent. */
  async function handshakeBytes(lane: Lane, event: string): Promise<Record<Direction, number>> {
    const { toHub, toAgent } = lane.proxy.counts;
    const before = { toHub: toHub.forwarded, toAgent: toAgent.forwarded };
    forget(lane);
    expect(lane.proxy.cut('rst')).to.equal(1);
    await logged(lane, event);
    // The last tables may still be on their way.
    await delay(100);
    return { toHub: toHub.forwarded - before.toHub, toAgent: toAgent.forwarded - before.toAgent };
  }

  /** Cuts the tunnel, then the next one at that position, and waits for the one after it. */
  async function cutTwice(lane: Lane, { direction, at, how }: Position, event: string): Promise<void> {
    const fired = lane.proxy.cutNext(direction, at, how).then(() => forget(lane));
    expect(lane.proxy.cut('rst')).to.equal(1);
    await within(PATIENCE_MS, 'the cut to fire', fired);
    await logged(lane, event);
  }

  /** Every position that is due, and the lane that takes it. */
  function positions(bytes: Record<Direction, number>, test: string): Position[] {
    const offset = PROVE ? 0 : seedFor(test) % STRIDE;
    const all: Position[] = [];
    for (const direction of DIRECTIONS) {
      for (let at = offset; at < bytes[direction]; at += STRIDE) {
        if (PROVE) for (const how of CUTS) all.push({ direction, at, how });
        else all.push({ direction, at, how: CUTS[at % CUTS.length]! });
      }
    }
    return all;
  }

  async function cutEverywhere(
    event: string,
    test: string,
    round: (lane: Lane, cut: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const bytes = await handshakeBytes(lanes[0]!, event);
    const all = positions(bytes, test);
    const startedAt = performance.now();
    const left = [...all];
    await Promise.all(
      lanes.map(async (lane) => {
        for (let position = left.pop(); position !== undefined; position = left.pop()) {
          const at = position;
          await round(lane, () => cutTwice(lane, at, event)).catch((error: unknown) => {
            throw new Error(`${lane.name}, cut at ${JSON.stringify(at)}: ${String(error)}`, { cause: error });
          });
        }
      }),
    );
    const cuts = lanes.reduce((sum, { proxy }) => sum + proxy.counts.cuts.rst + proxy.counts.cuts.fin, 0);
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    tell(`${all.length} cuts over ${bytes.toHub} + ${bytes.toAgent} bytes, ${seconds} s`);
    // Each position, and the cut that made the agent dial, and one to count the bytes.
    expect(cuts).to.equal(2 * all.length + 1);
    expect(all.length).to.be.above(20);
  }

  it('that resumes: the streams go on at the next one, every byte once', async () => {
    const site = await startLanes(60);
    const streams = new Map<string, KeyedEcho>();
    for (const { name } of lanes) streams.set(name, await startKeyedEcho(site.port(name)));
    for (const stream of streams.values()) stream.say(1);
    for (const stream of streams.values()) await stream.heard(PATIENCE_MS);
    await cutEverywhere('session_resumed', 'cut in the handshake of a resume', async (lane, cut) => {
      const stream = streams.get(lane.name)!;
      stream.say(SAID_BYTES);
      await cut();
      await stream.heard(PATIENCE_MS);
    });
    for (const stream of streams.values()) await stream.finish();
    expect(site.book.of('session_expired')).to.have.length(0);
    expect(site.book.of('agent_connected'), 'one session each').to.have.length(LANES);
    expect(await site.scraped('session_resumes_total', { result: 'refused' })).to.equal(0);
  });

  it('that is the first one: the next attempt serves, every byte once', async () => {
    const site = await startLanes(0);
    await cutEverywhere('tunnel_connected', 'cut in the first handshake', async (lane, cut) => {
      await cut();
      const stream = await startKeyedEcho(site.port(lane.name));
      stream.say(SAID_BYTES);
      await stream.heard(PATIENCE_MS);
      await stream.finish();
    });
    expect(site.book.of('session_resumed')).to.have.length(0);
  });
});
