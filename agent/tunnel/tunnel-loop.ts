/** Keeps a tunnel to the hub: dials, waits for its end, backs off, dials again, until it is stopped. */
import type { AgentConfig } from '../../config/types.js';
import type { Logger } from '../../observability/log.js';
import type { Metrics } from '../../observability/metrics.js';
import { CloseCode, type ProcessBudget } from '../../protocol/index.js';
import type { Clock } from '../../transport/clock.js';
import type { SessionEnd, StreamOffer } from '../../transport/pump.js';
import { FrameCounts } from '../../transport/count-frames.js';
import { BACKOFF_START, nextAttempt, type AttemptEnd, type BackoffState } from '../dial/backoff.js';
import { describeCloseCode } from '../dial/describe-close.js';
import { describeDialFailure } from '../dial/describe-failure.js';
import type { DialFailure } from '../dial/failure.js';
import { fetchPeerIssuer } from '../dial/peer-issuer.js';
import { createDialAgent } from '../dial/proxy.js';
import type { Environment } from '../dial/proxy-choice.js';
import { loadTlsMaterial } from '../dial/tls-roots.js';
import { expiryWarning, tokenExpiry } from '../token/token-expiry.js';
import { dialHub, type AgentTunnel } from './agent-tunnel.js';
import { connectResultOf, reconnectReasonOf } from './failure-labels.js';

export interface TunnelLoopDeps {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly env: Environment;
  readonly version: string;
  readonly bootId: string;
  readonly processBudget: ProcessBudget;
  readonly random: () => number;
  config(): AgentConfig;
  onOpen(tunnel: AgentTunnel, offer: StreamOffer): void;
  /** A token was read for an attempt; secret. */
  onToken(token: string): void;
}

/** How a tunnel stopped being the current one: it ended, or it drains and runs on beside its successor. */
type Leave =
  { readonly type: 'ended'; readonly end: SessionEnd } | { readonly type: 'moved'; readonly code: number };

/** Warn of a token's end this long before. */
const WARN_BEFORE_SEC = 3600;

export class TunnelLoop {
  readonly #deps: TunnelLoopDeps;
  readonly #stop = new AbortController();
  /** Tunnels that are up: the current one, and older ones that drain. */
  readonly #tunnels = new Map<AgentTunnel, FrameCounts>();
  #current: AgentTunnel | undefined;
  #leave: ((leave: Leave) => void) | undefined;
  #wake: (() => void) | undefined;
  #backoff: BackoffState = BACKOFF_START;
  #overlaps: string | undefined;
  #running: Promise<void> | undefined;
  #proxy: string | undefined;
  #token = '';

  constructor(deps: TunnelLoopDeps) {
    this.#deps = deps;
  }

  /** The tunnel in use; undefined while there is none. */
  get current(): AgentTunnel | undefined {
    return this.#current;
  }
  /** Every tunnel that is up, draining ones too. */
  tunnels(): Iterable<AgentTunnel> {
    return this.#tunnels.keys();
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** The token file has a new content: the tunnel that is up gets it at once, a pause ends at once. */
  tokenChanged(token: string): void {
    this.#token = token;
    if (this.#current === undefined) this.#wake?.();
    else this.#current.pump.reauthenticate(token);
  }

  /** Moves to a fresh session, as after a change of the connectors; running streams finish on the old one. */
  renew(): void {
    const { current } = { current: this.#current };
    if (current === undefined) {
      this.#wake?.();
      return;
    }
    current.pump.drain(CloseCode.Normal, 0);
    this.#leave?.({ type: 'moved', code: CloseCode.Normal });
  }

  /** Tells the hub that no new streams are wanted; no further tunnel is dialled. */
  drain(graceMs: number): void {
    this.#stop.abort();
    this.#wake?.();
    for (const { pump } of this.#tunnels.keys()) pump.drain(CloseCode.Draining, graceMs);
  }

  /** Ends all tunnels. */
  async close(): Promise<void> {
    this.drain(0);
    for (const { pump } of [...this.#tunnels.keys()])
      pump.close(CloseCode.Normal, 'the agent is shutting down');
    await this.#running;
  }

  /** Adds to the metrics what the sessions have counted since the last call. */
  tellCounts(): void {
    const { metrics } = this.#deps;
    for (const counts of this.#tunnels.values()) {
      counts.tell({
        finSent: (count) => metrics.finSent.inc({}, count),
        finReceived: (count) => metrics.finReceived.inc({}, count),
        rstSent: (count) => metrics.rstSent.inc({}, count),
        rstReceived: (count) => metrics.rstReceived.inc({}, count),
        replayedBytes: (count) => metrics.replayedBytes.inc({}, count),
      });
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const end = await this.#attempt();
      if (isAborted(signal)) return;
      const next = nextAttempt(this.#backoff, end, this.#deps.random());
      this.#backoff = next.state;
      this.#deps.log.info('tunnel_retry', {
        in_ms: next.delayMs,
        why: next.why,
        failures: next.state.failures,
      });
      await this.#pause(next.delayMs);
    }
  }

  async #attempt(): Promise<AttemptEnd> {
    const { log, metrics, clock } = this.#deps;
    const { url, agentId } = this.#deps.config().tunnel;
    let tunnel: AgentTunnel;
    log.debug('tunnel_connecting', { url });
    try {
      tunnel = await this.#dial();
    } catch (error) {
      if (this.#stop.signal.aborted) return { kind: 'failed' };
      return this.#onFailed(error);
    }
    const left = new Promise<Leave>((resolve) => (this.#leave = resolve));
    this.#enter(tunnel);
    const leave = await left;
    this.#current = undefined;
    const upMs = clock.now() - tunnel.since;
    if (leave.type === 'moved') {
      this.#overlaps = tunnel.ack.sessionId;
      metrics.tunnelReconnect(agentId, 'draining');
      return { kind: 'lost', upMs, closeCode: leave.code };
    }
    this.#overlaps = undefined;
    metrics.tunnelReconnect(agentId, reconnectReasonOf(leave.end.code));
    return { kind: 'lost', upMs, closeCode: leave.end.code };
  }

  #enter(tunnel: AgentTunnel): void {
    const { log, metrics } = this.#deps;
    this.#tunnels.set(tunnel, new FrameCounts(tunnel.pump.session.counters));
    this.#current = tunnel;
    metrics.tunnelConnect('connected');
    const { url, exportedConnectors } = this.#deps.config().tunnel;
    log.info('tunnel_connected', {
      url,
      proxy: this.#proxy,
      session: tunnel.ack.sessionId,
      hub: tunnel.ack.hubId,
      hub_version: tunnel.ack.version,
      connectors: tunnel.ack.connectors,
      refused_connectors: exportedConnectors.filter((name) => !tunnel.ack.connectors.includes(name)),
    });
    // It may have ended between the handshake and now.
    if (tunnel.pump.session.ended) this.#leave?.({ type: 'ended', end: ENDED_AT_ONCE });
  }

  #dial(): Promise<AgentTunnel> {
    const { clock, log } = this.#deps;
    return dialHub(
      {
        config: this.#deps.config(),
        env: this.#deps.env,
        clock,
        processBudget: this.#deps.processBudget,
        bootId: this.#deps.bootId,
        version: this.#deps.version,
        signal: this.#stop.signal,
        overlaps: this.#overlaps,
        onPrepared: ({ proxy, token, warnings }) => {
          this.#proxy = proxy;
          this.#token = token;
          this.#deps.onToken(token);
          for (const why of warnings) log.warn('config_warning', { why });
          const why = expiryWarning(tokenExpiry(token) ?? Infinity, Date.now(), WARN_BEFORE_SEC);
          if (why !== undefined) log.warn('token_expiring', { why });
        },
      },
      (tunnel) => ({
        onOpen: (offer) => this.#deps.onOpen(tunnel(), offer),
        onGoaway: (code, graceMs) => {
          log.info('goaway_received', { code, grace_ms: graceMs, session: tunnel().ack.sessionId });
          if (this.#current === tunnel()) this.#leave?.({ type: 'moved', code });
        },
        // Only the hub asks for tokens in-band; an agent has nothing to verify.
        onReauth: () => undefined,
        onRoundTrip: (ms) => this.#deps.metrics.tunnelRtt.observe({}, ms / 1000),
        onEnded: (end) => this.#onEnded(tunnel(), end),
      }),
    );
  }

  #onEnded(tunnel: AgentTunnel, end: SessionEnd): void {
    const { log, clock } = this.#deps;
    this.tellCounts();
    const known = this.#tunnels.delete(tunnel);
    const { reason, hint } = describeCloseCode(end.code, 'the hub');
    log.warn('tunnel_lost', {
      session: tunnel.ack.sessionId,
      code: end.code,
      by: end.by === 'us' ? 'agent' : 'hub',
      why: end.message,
      reason,
      hint,
      up_ms: Math.round(clock.now() - tunnel.since),
    });
    if (known && this.#current === tunnel) this.#leave?.({ type: 'ended', end });
  }

  async #onFailed(error: unknown): Promise<AttemptEnd> {
    const { log, metrics } = this.#deps;
    const { url } = this.#deps.config().tunnel;
    const failure = await this.#describe(error, url);
    metrics.tunnelConnect(connectResultOf(failure.reason));
    log.error('tunnel_rejected', { url, reason: failure.reason, why: failure.message, hint: failure.hint });
    const { closeCode, retryAfterSec } = error as { closeCode?: number; retryAfterSec?: number };
    return {
      kind: 'failed',
      permanent: failure.permanent,
      closeCode,
      retryAfterMs: retryAfterSec === undefined ? undefined : retryAfterSec * 1000,
    };
  }

  async #describe(error: unknown, url: string): Promise<DialFailure> {
    const context = { url, proxy: this.#proxy, nowMs: Date.now() };
    const expiry = this.#token === '' ? undefined : tokenExpiry(this.#token);
    const known = { ...context, tokenExpiryMs: expiry === undefined ? undefined : expiry * 1000 };
    const failure = describeDialFailure(error, known);
    if (failure.reason !== 'tls_untrusted') return failure;
    return describeDialFailure(error, { ...known, issuer: await this.#issuer(url) });
  }

  /** Who issued the certificate that is not trusted: the name shows TLS inspection at a glance. */
  async #issuer(url: string): Promise<string | undefined> {
    const { proxy, tunnel } = this.#deps.config();
    const { env, clock } = this.#deps;
    const tls = await loadTlsMaterial({ ...tunnel, caBundle: proxy.caBundle }, Date.now());
    const way = createDialAgent({ targetUrl: url, proxy, env, tls, clock });
    try {
      return await fetchPeerIssuer({ url, httpAgent: way.httpAgent, signal: this.#stop.signal, clock });
    } finally {
      way.destroy();
    }
  }

  /** Waits, until `delayMs` have passed or there is a reason to try at once. */
  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#deps.clock.after(delayMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}

const ENDED_AT_ONCE: SessionEnd = {
  type: 'ended',
  code: CloseCode.Normal,
  message: 'the tunnel ended at once',
  by: 'peer',
};

/** Behind a call, so that the compiler does not take an earlier look for the present. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
