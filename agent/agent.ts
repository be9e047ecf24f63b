/** The agent: puts its parts together, starts them in order, reloads, drains and stops. */
import { randomBytes } from 'node:crypto';
import type { AgentConfig } from '../config/types.js';
import type { Logger } from '../observability/log.js';
import type { Metrics } from '../observability/metrics.js';
import type { StatusServer } from '../observability/status-server.js';
import type { ProcessBudget } from '../protocol/index.js';
import { atMost, systemClock, type Clock } from '../transport/clock.js';
import type { StreamOffer } from '../transport/pump.js';
import { startHealthServer, type HealthServer } from './health/health-server.js';
import { connectMetrics } from './metric-sources.js';
import { startMetricsServer } from './metrics-server.js';
import { planReload } from './plan-reload.js';
import { TargetRelay, type TargetRelayContext } from './relay/target-relay.js';
import { sharedLookup } from './targets/shared-lookup.js';
import { TargetMap } from './targets/target-map.js';
import { ExpiryNotice } from './token/expiry-notice.js';
import { tokenExpiry } from './token/token-expiry.js';
import { readTokenFile } from './token/token-file.js';
import { TokenWatch } from './token/token-watch.js';
import type { AgentTunnel } from './tunnel/agent-tunnel.js';
import { TunnelLoop } from './tunnel/tunnel-loop.js';

export interface AgentDeps {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly version: string;
  readonly clock?: Clock;
  /** Where proxy variables are looked up with NC_TRUST_ENV. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly random?: () => number;
}

export interface ReloadResult {
  /** YAML keys that changed and count only after a restart. */
  readonly restartRequired: readonly string[];
}

const SWEEP_MS = 1000;
/** How long the hub gets to take note of the end. */
const CLOSE_MS = 500;
/** Bytes that all sessions of this process may hold. */
const PROCESS_BUFFER_BYTES = 268_435_456;
/** How long running streams may go on after SIGTERM: long enough for requests, shorter than a supervisor's patience. */
const DRAIN_GRACE_MS = 10_000;

export class Agent {
  readonly #deps: AgentDeps;
  readonly #clock: Clock;
  readonly #loop: TunnelLoop;
  readonly #processBudget: ProcessBudget = { heldBytes: 0, limitBytes: PROCESS_BUFFER_BYTES };
  readonly #relays = new Set<TargetRelay>();
  /** By connector. */
  readonly #contexts = new Map<string, TargetRelayContext>();
  readonly #lookup = sharedLookup();
  readonly #notice = new ExpiryNotice();
  #config: AgentConfig;
  #targets: TargetMap;
  #health: HealthServer | undefined;
  #status: StatusServer | undefined;
  #watch: TokenWatch | undefined;
  #cancelSweep: (() => void) | undefined;
  #stopping: Promise<void> | undefined;
  /** While it starts: settles when that is over, one way or the other. */
  #opening: Promise<void> | undefined;
  #hurry: (() => void) | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(config: AgentConfig, deps: AgentDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#clock = deps.clock ?? systemClock;
    this.#targets = new TargetMap(config.targets);
    this.#loop = new TunnelLoop({
      log: deps.log,
      metrics: deps.metrics,
      clock: this.#clock,
      env: deps.env ?? process.env,
      version: deps.version,
      bootId: randomBytes(16).toString('hex'),
      processBudget: this.#processBudget,
      random: deps.random ?? Math.random,
      config: () => this.#config,
      onOpen: (tunnel, offer) => this.#onOpen(tunnel, offer),
      onToken: (token) => {
        this.#knowToken(token);
        this.#watch?.know(token);
      },
    });
    connectMetrics({
      metrics: deps.metrics,
      clock: this.#clock,
      loop: this.#loop,
      relays: this.#relays,
      config: () => this.#config,
      targets: () => this.#targets,
      tokenExpiry: () => this.#notice.expirySec,
    });
  }

  get healthPort(): number {
    return this.#health?.port ?? 0;
  }
  get metricsPort(): number {
    return this.#status?.port ?? 0;
  }
  /** HELLO_ACK has arrived and the tunnel is up. */
  get ready(): boolean {
    return this.#stopping === undefined && this.#loop.current !== undefined;
  }

  /** Opens the health ports and begins to dial; rejects with words for the operator, and then nothing is open. */
  async start(): Promise<void> {
    const opening = this.#open();
    this.#opening = opening.catch(() => undefined);
    try {
      await opening;
    } catch (error) {
      await this.stopNow();
      throw error;
    }
  }

  async #open(): Promise<void> {
    const { log, metrics, version } = this.#deps;
    const { observability, tunnel } = this.#config;
    this.#health = await startHealthServer({
      host: observability.healthHost,
      port: observability.healthPort,
      state: () => ({ ready: this.ready }),
      onError: (error) => log.warn('accept_error', { error }),
    });
    this.#failIfStopped();
    if (observability.metricsPort !== 0) this.#status = await startMetricsServer(metrics, observability);
    this.#failIfStopped();
    log.info('agent_started', {
      version,
      node: process.versions.node,
      agent: tunnel.agentId,
      url: tunnel.url,
      connectors: tunnel.exportedConnectors,
      health_port: this.healthPort,
    });
    await this.#watchToken();
    this.#failIfStopped();
    this.#opening = undefined;
    this.#loop.start();
    this.#sweepLater();
  }

  /** Whoever stops an agent that starts waits for this, and closes what is open by then. */
  #failIfStopped(): void {
    if (this.#stopping !== undefined) throw new Error('the agent was stopped while it started');
  }

  /** Puts new targets, connectors, limits and the log level in force; running streams go on. */
  reload(next: AgentConfig): Promise<ReloadResult> {
    const { metrics, log } = this.#deps;
    const plan = planReload(this.#config, next);
    for (const connector of next.tunnel.exportedConnectors) metrics.addConnector(connector);
    this.#targets = new TargetMap(next.targets);
    log.setLevel(next.observability.logLevel);
    this.#config = plan.config;
    this.#contexts.clear();
    if (plan.tokenFile) void this.#watchToken();
    if (plan.freshSession) this.#loop.renew();
    return Promise.resolve({ restartRequired: plan.restartRequired });
  }

  /** Takes no new streams, lets the running ones finish for a short while, then stops. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop(DRAIN_GRACE_MS);
    return this.#stopping;
  }

  /** Resets what runs and stops now; also while `stop` is draining. */
  async stopNow(): Promise<void> {
    this.#hurry?.();
    this.#stopping ??= this.#stop(0);
    await this.#stopping;
  }

  async #stop(graceMs: number): Promise<void> {
    const { log } = this.#deps;
    if (this.#opening !== undefined) await this.#opening;
    log.info('draining', { streams: this.#relays.size, grace_ms: graceMs });
    this.#watch?.close();
    this.#loop.drain(graceMs);
    if (graceMs > 0 && this.#relays.size > 0) {
      const over = new Promise<void>((resolve) => (this.#hurry = this.#onEmpty = resolve));
      await atMost(this.#clock, graceMs, over);
    }
    this.#cancelSweep?.();
    if (this.#relays.size > 0) log.warn('drain_timeout', { streams: this.#relays.size });
    for (const relay of [...this.#relays]) relay.abort('draining');
    await atMost(this.#clock, CLOSE_MS, this.#loop.close());
    await this.#status?.close();
    await this.#health?.close();
    log.info('stopped');
  }

  #onOpen(tunnel: AgentTunnel, offer: StreamOffer): void {
    const { log, metrics } = this.#deps;
    if (this.#stopping !== undefined) {
      // It crossed our GOAWAY: the hub finds another agent for it.
      tunnel.pump.refuse(offer.cid, 'draining');
      return;
    }
    const { exportedConnectors } = this.#config.tunnel;
    const target = exportedConnectors.includes(offer.connector)
      ? this.#targets.find(offer.connector)
      : undefined;
    if (target === undefined) {
      metrics.forConnector(offer.connector).rejected('denied');
      log.warn('target_failed', {
        cid: offer.cid,
        connector: offer.connector,
        agent: this.#config.tunnel.agentId,
        client: offer.client,
        reason: 'unknown_connector',
        why: 'the hub asked for a connector that this agent does not export',
      });
      tunnel.pump.refuse(offer.cid, 'unknown_connector');
      return;
    }
    const relay = new TargetRelay(this.#contextOf(offer.connector), tunnel, offer, target);
    this.#relays.add(relay);
    relay.start();
  }

  /** What all streams of a connector share; made anew after a reload. */
  #contextOf(connector: string): TargetRelayContext {
    const known = this.#contexts.get(connector);
    if (known !== undefined) return known;
    const { log, metrics } = this.#deps;
    const context = {
      clock: this.#clock,
      log,
      dial: {
        targets: this.#targets,
        lookup: this.#lookup,
        clock: this.#clock,
        onHealth: (name: string, endpoint: string, healthy: boolean, why: string | undefined) =>
          healthy
            ? log.info('target_recovered', { connector: name, endpoint })
            : log.warn('target_unhealthy', { connector: name, endpoint, why }),
      },
      counters: metrics.forConnector(connector),
      agentId: this.#config.tunnel.agentId,
      idleTimeoutMs: this.#config.limits.idleTimeoutMs,
      onEnd: (relay: TargetRelay) => this.#onRelayEnd(relay),
    };
    this.#contexts.set(connector, context);
    return context;
  }

  #onRelayEnd(relay: TargetRelay): void {
    this.#relays.delete(relay);
    if (this.#relays.size === 0) this.#onEmpty?.();
  }

  async #watchToken(): Promise<void> {
    const { log } = this.#deps;
    const { tokenFile } = this.#config.tunnel;
    this.#watch?.close();
    // What is in the file now is read by the first attempt; only what comes later is a change.
    const known = await readTokenFile(tokenFile).catch(() => undefined);
    if (this.#stopping !== undefined) return;
    this.#watch = new TokenWatch({
      file: tokenFile,
      knownToken: known?.token,
      onChanged: (token) => {
        log.info('token_changed', { expires: tokenExpiry(token) });
        this.#knowToken(token);
        this.#loop.tokenChanged(token);
      },
    });
  }

  /** A token was read; the log is told when it is nearly over. */
  #knowToken(token: string): void {
    this.#notice.know(token);
    this.#tellExpiry();
  }

  #tellExpiry(): void {
    const why = this.#notice.due(Date.now());
    if (why !== undefined) this.#deps.log.warn('token_expiring', { why });
  }

  #sweepLater(): void {
    this.#cancelSweep = this.#clock.after(SWEEP_MS, () => {
      for (const relay of this.#relays) relay.checkIdle(this.#clock.now());
      for (const { pump } of this.#loop.tunnels()) pump.measurePath();
      this.#tellExpiry();
      this.#sweepLater();
    });
  }
}
