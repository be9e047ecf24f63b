/** The hub: puts its parts together, starts them in order, reloads, drains and stops. */
import { randomBytes } from 'node:crypto';
import type { HostPort, HubConfig, ListenerConfig } from '../config/types.js';
import type { Logger } from '../observability/log.js';
import type { Metrics } from '../observability/metrics.js';
import { startStatusServer, type StatusServer } from '../observability/status-server.js';
import { CloseCode } from '../protocol/index.js';
import { atMost, systemClock, type Clock } from '../transport/clock.js';
import { createPdp, type Pdp } from './auth/pdp.js';
import { createTokenVerifier, type TokenVerifier } from './auth/verify.js';
import { endpointHooks } from './endpoint-hooks.js';
import { ListenerSet } from './listener-set.js';
import { listenerHooks } from './listener-hooks.js';
import { Relays } from './relay/relays.js';
import { planReload } from './routing/plan-reload.js';
import { AgentWaitingRoom } from './routing/wait-for-agent.js';
import { connectMetrics } from './metric-sources.js';
import { hubRoutes } from './status-routes.js';
import { Sweep } from './sweep.js';
import { TunnelEndpoint } from './tunnels/endpoint.js';
import { TunnelRegistry } from './tunnels/registry.js';

export interface HubDeps {
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Version of the product, for HELLO_ACK and the log. */
  readonly version: string;
  readonly clock?: Clock;
}

export interface ReloadResult {
  /** YAML keys that changed and count only after a restart. */
  readonly restartRequired: readonly string[];
}

/** How long agents and clients get to take note of the end. */
const CLOSE_MS = 500;

export class Hub {
  readonly #deps: HubDeps;
  readonly #clock: Clock;
  readonly #hubId = randomBytes(8).toString('hex');
  readonly #registry = new TunnelRegistry();
  readonly #relays: Relays;
  readonly #waitingRoom: AgentWaitingRoom;
  readonly #listeners: ListenerSet;
  readonly #processBudget: { heldBytes: number; limitBytes: number };
  readonly #endpoint: TunnelEndpoint;
  readonly #sweep: Sweep;
  #config: HubConfig;
  #verifier: TokenVerifier;
  #pdp: Pdp;
  #status: StatusServer | undefined;
  #tunnelPort = 0;
  #turn = 0;
  #state: 'starting' | 'ready' | 'draining' = 'starting';
  #stopping: Promise<void> | undefined;
  /** While it starts: settles when that is over, one way or the other. */
  #opening: Promise<void> | undefined;
  #hurry: (() => void) | undefined;

  /** @throws Error when a file that the configuration names cannot be used */
  constructor(config: HubConfig, deps: HubDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#clock = deps.clock ?? systemClock;
    this.#processBudget = { heldBytes: 0, limitBytes: config.limits.processBufferBytes };
    this.#verifier = this.#newVerifier(config);
    this.#pdp = this.#newPdp(config);
    this.#waitingRoom = new AgentWaitingRoom(config.limits.maxConnTotal, this.#clock, (connector) =>
      this.#registry.freePlaces(connector),
    );
    this.#relays = new Relays({
      clock: this.#clock,
      log: deps.log,
      metrics: deps.metrics,
      waitingRoom: this.#waitingRoom,
      config: () => this.#config,
      pdp: () => this.#pdp,
      tunnels: () => this.#registry.candidates(),
      nextTurn: () => this.#turn++,
    });
    this.#listeners = new ListenerSet({
      hooksFor: listenerHooks({
        log: deps.log,
        metrics: deps.metrics,
        relays: this.#relays,
        processBudget: this.#processBudget,
        maxConnTotal: () => this.#config.limits.maxConnTotal,
        draining: () => this.#state === 'draining',
      }),
      onStarted: (listener, address) => this.#onListenerStarted(listener, address),
      onStopped: ({ name }) => deps.log.info('listener_stopped', { listener: name }),
    });
    const parts = {
      ...deps,
      clock: this.#clock,
      registry: this.#registry,
      relays: this.#relays,
      config: () => this.#config,
    };
    const context = {
      ...parts,
      processBudget: this.#processBudget,
      hubId: this.#hubId,
      verify: (token: string) => this.#verifier.verify(token),
      draining: () => this.#state === 'draining',
      onAvailable: (connectors: Iterable<string>) => {
        for (const connector of connectors) this.#waitingRoom.notify(connector);
      },
    };
    this.#endpoint = new TunnelEndpoint(config.tunnel, endpointHooks(context));
    connectMetrics(parts);
    this.#sweep = new Sweep(parts);
  }

  /** The port of the tunnel endpoint; the system's choice when the configuration says 0. */
  get tunnelPort(): number {
    return this.#tunnelPort;
  }
  /** The port of /healthz, /readyz and /metrics. */
  get statusPort(): number {
    return this.#status?.port ?? 0;
  }
  /** Where each listener is open, by its name. */
  get listenerAddresses(): ReadonlyMap<string, HostPort> {
    return this.#listeners.addresses();
  }

  /** Opens everything; rejects with words for the operator, and then nothing is open. */
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
    const { log, version } = this.#deps;
    const { observability, tunnel } = this.#config;
    // Health first: a probe must be able to see that the rest is not there yet.
    this.#status = await startStatusServer({
      host: observability.host,
      port: observability.metricsPort,
      routes: hubRoutes(() => this.#state, this.#deps.metrics),
      configKey: 'observability.host, observability.metrics_port',
      onRouteError: (error, path) => log.error('internal_error', { error, path }),
    });
    this.#failIfStopped();
    await this.#verifier.preload();
    this.#failIfStopped();
    this.#tunnelPort = await this.#endpoint.listen();
    this.#failIfStopped();
    log.info('tunnel_endpoint_started', {
      address: `${tunnel.host}:${this.#tunnelPort}`,
      path: tunnel.path,
      tls: tunnel.tls !== undefined,
    });
    await this.#listeners.start(this.#config.listeners);
    this.#failIfStopped();
    this.#opening = undefined;
    this.#sweep.start();
    this.#state = 'ready';
    log.info('hub_started', {
      version,
      hub: this.#hubId,
      node: process.versions.node,
      listeners: this.#config.listeners.length,
      tunnel_port: this.#tunnelPort,
      status_port: this.#status.port,
    });
  }

  /** Whoever stops a hub that starts waits for this, and closes what is open by then. */
  #failIfStopped(): void {
    if (this.#stopping !== undefined) throw new Error('the hub was stopped while it started');
  }

  /** Puts a new configuration in force, all of it that can change while running, or throws and changes nothing. */
  async reload(next: HubConfig): Promise<ReloadResult> {
    const { metrics, log } = this.#deps;
    const plan = planReload(this.#config, next);
    const verifier = plan.security ? this.#newVerifier(next) : undefined;
    const pdp = plan.pdp ? this.#newPdp(next) : undefined;
    try {
      for (const { connector } of next.listeners) metrics.addConnector(connector);
      const useFreshTls = this.#endpoint.prepareTls();
      await this.#listeners.apply(plan.listeners);
      useFreshTls();
    } catch (error) {
      verifier?.close();
      pdp?.close();
      throw error;
    }
    if (verifier !== undefined) {
      this.#verifier.close();
      this.#verifier = verifier;
    }
    if (pdp !== undefined) {
      this.#pdp.close();
      this.#pdp = pdp;
    }
    if (plan.logLevel) log.setLevel(next.observability.logLevel);
    this.#processBudget.limitBytes = next.limits.processBufferBytes;
    // What only a restart changes stays as it runs, so that the next reload is compared with the truth.
    const { host, metricsPort, logFormat } = this.#config.observability;
    this.#config = {
      ...next,
      tunnel: this.#config.tunnel,
      observability: { ...next.observability, host, metricsPort, logFormat },
    };
    return { restartRequired: plan.restartRequired };
  }

  /**
   * Drains: not ready any more, no new clients, agents told to go elsewhere; what runs may finish within
   * `drain_grace_sec`, the rest is reset. A second call gives the first one's promise.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop(this.#config.limits.drainGraceSec * 1000);
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
    // Keys that do not come must not hold up a stop.
    if (this.#state === 'starting') this.#verifier.close();
    this.#state = 'draining';
    if (this.#opening !== undefined) await this.#opening;
    log.info('draining', { streams: this.#relays.size, grace_ms: graceMs });
    this.#listeners.stopAccepting();
    for (const tunnel of this.#registry.all()) tunnel.pump.drain(CloseCode.Draining, graceMs);
    if (graceMs > 0) {
      const hurry = new Promise<void>((resolve) => (this.#hurry = resolve));
      await atMost(this.#clock, graceMs, Promise.race([this.#relays.empty(), hurry]));
    }
    this.#sweep.stop();
    if (this.#relays.size > 0) log.warn('drain_timeout', { streams: this.#relays.size });
    this.#waitingRoom.close();
    this.#relays.abortAll('draining');
    const tunnelsGone = this.#registry
      .all()
      .map(({ pump }) => pump.close(CloseCode.Draining, 'the hub is shutting down'));
    await this.#listeners.close();
    await this.#endpoint.close();
    await atMost(this.#clock, CLOSE_MS, Promise.all(tunnelsGone));
    this.#verifier.close();
    this.#pdp.close();
    // Health last: as long as the process does anything, a probe gets an answer.
    await this.#status?.close();
    log.info('stopped');
  }

  // ---- the parts ------------------------------------------------------------------------------------------

  #newVerifier(config: HubConfig): TokenVerifier {
    const { log, metrics } = this.#deps;
    return createTokenVerifier(config.security, {
      onJwksFetch: (result) => metrics.jwksFetch(result === 'ok' ? 'success' : 'failure'),
      onJwksProblem: (why) => log.warn('jwks_fetch_failed', { why }),
    });
  }

  #newPdp(config: HubConfig): Pdp {
    const { metrics } = this.#deps;
    return createPdp(config.pdp, {
      onDecision: (connector, result) => metrics.forConnector(connector).pdpDecision(result),
      observeSeconds: (seconds) => metrics.pdpDuration.observe({}, seconds),
    });
  }

  #onListenerStarted(listener: ListenerConfig, address: HostPort): void {
    this.#deps.metrics.addConnector(listener.connector);
    this.#deps.log.info('listener_started', {
      listener: listener.name,
      connector: listener.connector,
      address: `${address.host}:${address.port}`,
    });
  }
}
