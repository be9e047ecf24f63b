import { AuthError } from '../../../hub/auth/errors.js';
import type { Identity } from '../../../hub/auth/verify.js';
import { acceptTunnel, type TunnelContext } from '../../../hub/tunnels/accept-tunnel.js';
import { TunnelRegistry } from '../../../hub/tunnels/registry.js';
import { FrameType, type Hello, type HelloAck } from '../../../protocol/index.js';
import type { SyncFrame } from '../../../protocol/wire/frame.js';
import { FakeClock } from '../agent/fake-clock.js';
import { FakeLink, nextTurn } from '../transport/fake-link.js';
import { hubConfig, LogBook, newMetrics, type HubChanges } from './bench.js';

export const FAR_MS = Date.now() + 3_600_000;
/** An empty table of the agent's, at a resume. */
export const END_OF_TABLE: SyncFrame = {
  type: FrameType.Sync,
  cid: 0,
  opened: false,
  closed: false,
  reason: undefined,
  received: 0,
  consumed: 0,
  limit: 0,
};

/** The part of a hub that takes agents; their links' other ends are the test. */
export class TunnelBench {
  readonly clock = new FakeClock();
  readonly book = new LogBook('hub');
  readonly metrics = newMetrics('hub', ['web', 'db']);
  readonly registry = new TunnelRegistry();
  readonly available: string[] = [];
  verify: (token: string) => Promise<Identity> = () => Promise.reject(new AuthError('malformed', 'no token'));
  draining = false;
  /** In force from now on, as after a reload. */
  reload: (changes: HubChanges) => void;
  readonly #context: TunnelContext;

  constructor(changes: HubChanges = {}) {
    let config = hubConfig(changes);
    this.reload = (next) => void (config = hubConfig(next));
    this.#context = {
      clock: this.clock,
      log: this.book.log,
      metrics: this.metrics,
      registry: this.registry,
      processBudget: { heldBytes: 0, limitBytes: 1e9 },
      hubId: 'hub-1',
      version: '1.2.3',
      config: () => config,
      verify: (token) => this.verify(token),
      draining: () => this.draining,
      onAvailable: (connectors) => void this.available.push(...connectors),
    };
  }

  /** A link of an agent with that token; no HELLO yet. */
  link(changes: Partial<Identity> = {}): FakeLink {
    const link = new FakeLink();
    const identity = {
      agentId: 'site-a',
      connectors: undefined,
      expiresAtMs: FAR_MS,
      tokenId: undefined,
      ...changes,
    };
    acceptTunnel(this.#context, link, identity);
    return link;
  }

  /** A link whose agent says HELLO, and the hub's answer. */
  async connect(
    hello: Partial<Hello> = {},
    identity: Partial<Identity> = {},
  ): Promise<{ link: FakeLink; ack: HelloAck }> {
    const link = this.link(identity);
    link.arrive(helloFrame(hello));
    await nextTurn();
    const first = link.frames()[0];
    if (first?.type !== FrameType.HelloAck) throw new Error(`no HELLO_ACK: ${JSON.stringify(link.closed)}`);
    return { link, ack: first.ack };
  }
}

export function helloFrame(changes: Partial<Hello> = {}): {
  readonly type: typeof FrameType.Hello;
  readonly hello: Hello;
} {
  return {
    type: FrameType.Hello,
    hello: {
      agentId: 'site-a',
      bootId: 'boot-1',
      version: '0.9.0',
      features: ['resume'],
      connectors: ['web', 'db'],
      limits: { windowBytes: 65_536, maxStreams: 10, maxPayload: 65_536 },
      resume: undefined,
      overlaps: undefined,
      ...changes,
    },
  };
}

/** What an agent shows to go on with the session of that answer. */
export const resumeOf = ({ sessionId, resume }: HelloAck): NonNullable<Hello['resume']> => ({
  sessionId,
  token: resume?.token ?? '',
  only: false,
});
