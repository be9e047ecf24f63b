/** One authenticated agent on one link: who it is, what it serves, and its pump. */
import type { Identity } from '../auth/verify.js';
import type { AgentCandidate } from '../routing/choose-agent.js';
import type { Metrics } from '../../observability/metrics.js';
import { FrameCounts } from '../../transport/count-frames.js';
import type { Pump } from '../../transport/pump.js';
import { ResumeToken } from './resume-token.js';

/** How long after `exp` a tunnel without a fresh token stays for the streams that run. */
const EXPIRY_GRACE_MS = 60_000;

export class Tunnel implements AgentCandidate {
  readonly agentId: string;
  readonly sessionId: string;
  readonly bootId: string;
  remoteAddress: string;
  readonly agentVersion: string;
  /** Monotonic milliseconds; of the present link. */
  connectedAt: number;
  readonly pump: Pump;
  /** Those of HELLO that are in use. */
  readonly features: readonly string[];
  /** How long its streams outlive a lost link; 0 = not at all. */
  readonly resumeGraceMs: number;
  readonly #wallClock: () => number;
  connectors: ReadonlySet<string>;
  /** What HELLO offered; the token decides how much of it counts. */
  readonly offered: readonly string[];
  #expiresAtMs: number;
  /** The agent's own limit on streams. */
  readonly #maxStreams: number;
  readonly #counts: FrameCounts;
  readonly resumeToken = new ResumeToken();

  constructor(options: {
    readonly identity: Identity;
    readonly sessionId: string;
    readonly bootId: string;
    readonly agentVersion: string;
    readonly remoteAddress: string;
    readonly connectedAt: number;
    readonly offered: readonly string[];
    readonly connectors: readonly string[];
    readonly maxStreams: number;
    readonly features: readonly string[];
    readonly resumeGraceMs: number;
    readonly pump: Pump;
    readonly wallClock: () => number;
  }) {
    this.agentId = options.identity.agentId;
    this.sessionId = options.sessionId;
    this.bootId = options.bootId;
    this.agentVersion = options.agentVersion;
    this.remoteAddress = options.remoteAddress;
    this.connectedAt = options.connectedAt;
    this.offered = options.offered;
    this.connectors = new Set(options.connectors);
    this.pump = options.pump;
    this.features = options.features;
    this.resumeGraceMs = options.resumeGraceMs;
    this.#counts = new FrameCounts(options.pump.session.counters);
    this.#maxStreams = options.maxStreams;
    this.#wallClock = options.wallClock;
    this.#expiresAtMs = options.identity.expiresAtMs;
  }

  get activeStreams(): number {
    return this.pump.streamCount;
  }
  get acceptsNew(): boolean {
    const { session } = this.pump;
    return session.up && !session.draining && !this.expired && !this.full;
  }
  /** It carries as many streams as it may. */
  get full(): boolean {
    return this.activeStreams >= this.#maxStreams;
  }
  /** Streams that it could take now. */
  get freePlaces(): number {
    return this.acceptsNew ? this.#maxStreams - this.activeStreams : 0;
  }
  /** The token is over: nothing new. */
  get expired(): boolean {
    return this.#wallClock() >= this.#expiresAtMs;
  }
  /** The token is over for so long that the tunnel goes too. */
  get overdue(): boolean {
    return this.#wallClock() >= this.#expiresAtMs + EXPIRY_GRACE_MS;
  }

  /** A fresh token was verified. */
  renew(expiresAtMs: number, connectors: readonly string[]): void {
    this.#expiresAtMs = expiresAtMs;
    this.connectors = new Set(connectors);
  }

  /** Adds to the metrics what the session has counted since the last call. */
  tellCounts(metrics: Metrics): void {
    this.#counts.tell(metrics.frameSink());
  }
}
