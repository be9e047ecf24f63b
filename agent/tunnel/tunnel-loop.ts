/** Keeps a tunnel to the hub: dials, waits for its end, backs off, dials again, until it is stopped. */
import type { AgentConfig } from '../../config/types.js';
import type { Logger } from '../../observability/log.js';
import type { Metrics } from '../../observability/metrics.js';
import { CloseCode, type ProcessBudget } from '../../protocol/index.js';
import type { Clock } from '../../transport/clock.js';
import { FrameCounts } from '../../transport/count-frames.js';
import type { PumpHandlers, SessionEnd, StreamOffer } from '../../transport/pump.js';
import { BACKOFF_START, nextAttempt, type AttemptEnd, type BackoffState } from '../dial/backoff.js';
import { describeCloseCode } from '../dial/describe-close.js';
import type { Environment } from '../dial/proxy-choice.js';
import { expiryWarning, tokenExpiry } from '../token/token-expiry.js';
import { dialHub, type AgentTunnel } from './agent-tunnel.js';
import { explainFailure } from './explain-failure.js';
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

/** How a tunnel stopped being the current one: it ended, it lost its link, or it drains beside its successor. */
type Leave =
  | { readonly type: 'ended'; readonly code: CloseCode }
  | { readonly type: 'suspended' }
  | { readonly type: 'moved'; readonly code: number };

/** Warn of a token's end this long before. */
const WARN_BEFORE_SEC = 3600;

export class TunnelLoop {
  readonly #deps: TunnelLoopDeps;
  readonly #stop = new AbortController();
  /** Sessions that live: the current one, one that waits for a link, and older ones that drain. */
  readonly #tunnels = new Map<AgentTunnel, FrameCounts>();
  #current: AgentTunnel | undefined;
  /** The tunnel that waits for a new link. */
  #suspended: AgentTunnel | undefined;
  /** Session that drains while its successor is dialled. */
  #overlaps: string | undefined;
  #leave: ((leave: Leave) => void) | undefined;
  #wake: (() => void) | undefined;
  #backoff: BackoffState = BACKOFF_START;
  #running: Promise<void> | undefined;
  #proxy: string | undefined;
  /** The newest token known, and the one that the present attempt sent; secret. */
  #token: string | undefined;
  #sentToken: string | undefined;
  /** Calls of `renew`: all of them, those before the present attempt, and those that the session knows of. */
  #renewals = 0;
  #renewalsAtDial = 0;
  #renewalsOfSession = 0;
  /** Warnings of the files that were given: each is given once. */
  readonly #warned = new Set<string>();

  constructor(deps: TunnelLoopDeps) {
    this.#deps = deps;
  }

  /** The tunnel in use; undefined while there is none. */
  get current(): AgentTunnel | undefined {
    return this.#current;
  }
  /** Every session that lives. */
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
    this.#renewals += 1;
    if (this.#current === undefined) this.#wake?.();
    else this.#moveWhenDue(this.#current);
  }

  /** A session keeps what its HELLO offered: after a change it is left, once nothing of it is under way to be resumed. */
  #moveWhenDue(tunnel: AgentTunnel): void {
    const due = this.#renewalsOfSession !== this.#renewals;
    if (!due || tunnel !== this.#current || !tunnel.pump.session.up) return;
    tunnel.pump.drain(CloseCode.Normal, 0);
    this.#leave?.({ type: 'moved', code: CloseCode.Normal });
  }

  /** Tells the hub that no new streams are wanted; no further tunnel is dialled. */
  drain(graceMs: number): void {
    this.#stop.abort();
    this.#wake?.();
    for (const { pump } of this.#tunnels.keys()) pump.drain(CloseCode.Draining, graceMs);
  }

  /** Ends all tunnels; resolves when they are gone. */
  async close(): Promise<void> {
    this.drain(0);
    const gone = [...this.#tunnels.keys()].map(({ pump }) =>
      pump.close(CloseCode.Normal, 'the agent is shutting down'),
    );
    await Promise.all([...gone, this.#running]);
  }

  /** Adds to the metrics what the sessions have counted since the last call. */
  tellCounts(): void {
    for (const counts of this.#tunnels.values()) counts.tell(this.#deps.metrics.frameSink());
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
    let tunnel: AgentTunnel;
    try {
      tunnel = await this.#dial();
    } catch (error) {
      return this.#stop.signal.aborted ? { kind: 'failed' } : this.#onFailed(error);
    }
    const left = new Promise<Leave>((resolve) => (this.#leave = resolve));
    this.#enter(tunnel);
    const leave = await left;
    this.#current = undefined;
    return this.#onLeft(tunnel, leave);
  }

  #onLeft(tunnel: AgentTunnel, leave: Leave): AttemptEnd {
    const { metrics, clock } = this.#deps;
    const { agentId } = this.#deps.config().tunnel;
    const upMs = clock.now() - tunnel.since;
    this.#overlaps = leave.type === 'moved' ? tunnel.ack.sessionId : undefined;
    if (leave.type === 'suspended') {
      this.#suspended = tunnel;
      return { kind: 'suspended', upMs };
    }
    const reason = leave.type === 'moved' ? 'draining' : reconnectReasonOf(leave.code);
    metrics.tunnelReconnect(agentId, reason);
    return { kind: 'lost', upMs, closeCode: leave.code };
  }

  #enter(tunnel: AgentTunnel): void {
    const { log, metrics } = this.#deps;
    const suspended = this.#suspended;
    this.#suspended = undefined;
    this.#current = tunnel;
    metrics.tunnelConnect('connected');
    const { session } = tunnel.pump;
    if (tunnel !== suspended) {
      this.#renewalsOfSession = this.#renewalsAtDial;
      this.#tunnels.set(tunnel, new FrameCounts(session.counters));
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
      if (suspended !== undefined) {
        metrics.sessionResume('refused');
        void suspended.pump.close(CloseCode.Normal, 'the hub does not have the session any more');
      }
    }
    // The file may have changed while the attempt was under way.
    if (this.#token !== undefined && this.#token !== this.#sentToken) {
      tunnel.pump.reauthenticate(this.#token);
    }
    // It may be over, or without a link again, between the handshake and now.
    if (session.ended) this.#leave?.({ type: 'ended', code: CloseCode.Normal });
    else if (session.suspended) this.#leave?.({ type: 'suspended' });
    else this.#moveWhenDue(tunnel);
  }

  #dial(): Promise<AgentTunnel> {
    const { clock, log, env, processBudget, bootId, version } = this.#deps;
    const config = this.#deps.config();
    log.debug('tunnel_connecting', { url: config.tunnel.url });
    this.#renewalsAtDial = this.#renewals;
    return dialHub(
      {
        config,
        env,
        clock,
        processBudget,
        bootId,
        version,
        signal: this.#stop.signal,
        overlaps: this.#overlaps,
        suspended: this.#suspended,
        onPrepared: (prepared) => this.#onPrepared(prepared),
      },
      (tunnel) => this.#handlersOf(tunnel),
    );
  }

  #onPrepared(prepared: { proxy: string | undefined; token: string; warnings: readonly string[] }): void {
    const { log } = this.#deps;
    this.#proxy = prepared.proxy;
    this.#token = this.#sentToken = prepared.token;
    this.#deps.onToken(prepared.token);
    for (const why of prepared.warnings) {
      if (!this.#warned.has(why)) log.warn('config_warning', { why });
      this.#warned.add(why);
    }
    const why = expiryWarning(tokenExpiry(prepared.token) ?? Infinity, Date.now(), WARN_BEFORE_SEC);
    if (why !== undefined) log.warn('token_expiring', { why });
  }

  #handlersOf(tunnel: () => AgentTunnel): PumpHandlers {
    const { log, metrics } = this.#deps;
    return {
      onOpen: (offer) => this.#deps.onOpen(tunnel(), offer),
      onGoaway: (code, graceMs) => {
        log.info('goaway_received', { code, grace_ms: graceMs, session: tunnel().ack.sessionId });
        if (this.#current === tunnel()) this.#leave?.({ type: 'moved', code });
      },
      // The session takes no token from the hub.
      onReauth: () => undefined,
      onRoundTrip: (ms) => metrics.tunnelRtt.observe({}, ms / 1000),
      onSuspended: (why) => this.#onSuspended(tunnel(), why),
      onResumed: (suspendedMs) => this.#onResumed(tunnel(), suspendedMs),
      onEnded: (end) => this.#onEnded(tunnel(), end),
    };
  }

  #onSuspended(tunnel: AgentTunnel, why: string): void {
    this.#deps.log.warn('session_suspended', {
      session: tunnel.ack.sessionId,
      why,
      streams: tunnel.pump.streamCount,
      grace_ms: tunnel.ack.resume?.graceMs,
      up_ms: Math.round(this.#deps.clock.now() - tunnel.since),
    });
    if (this.#current === tunnel) this.#leave?.({ type: 'suspended' });
  }

  #onResumed(tunnel: AgentTunnel, suspendedMs: number): void {
    const { log, metrics } = this.#deps;
    metrics.sessionResume('resumed');
    metrics.tunnelReconnect(this.#deps.config().tunnel.agentId, 'lost');
    log.info('session_resumed', {
      session: tunnel.ack.sessionId,
      streams: tunnel.pump.streamCount,
      suspended_ms: Math.round(suspendedMs),
    });
    this.#moveWhenDue(tunnel);
  }

  #onEnded(tunnel: AgentTunnel, end: SessionEnd): void {
    const { log, metrics, clock } = this.#deps;
    this.tellCounts();
    this.#tunnels.delete(tunnel);
    if (this.#suspended === tunnel) {
      this.#suspended = undefined;
      metrics.sessionResume('expired');
      log.warn('session_expired', { session: tunnel.ack.sessionId, why: end.message });
    }
    const { reason, hint } = describeCloseCode(end.code, 'the hub');
    const asked = this.#stop.signal.aborted && end.by === 'us';
    log[asked ? 'info' : 'warn']('tunnel_lost', {
      session: tunnel.ack.sessionId,
      code: end.code,
      by: end.by === 'us' ? 'agent' : 'hub',
      why: end.message,
      reason: asked ? 'stopped' : reason,
      hint: asked ? undefined : hint,
      up_ms: Math.round(clock.now() - tunnel.since),
    });
    if (this.#current === tunnel) this.#leave?.({ type: 'ended', code: end.code });
  }

  async #onFailed(error: unknown): Promise<AttemptEnd> {
    const { log, metrics, env, clock } = this.#deps;
    const config = this.#deps.config();
    const attempt = { config, env, clock, signal: this.#stop.signal, proxy: this.#proxy, token: this.#token };
    const failure = await explainFailure(error, attempt);
    metrics.tunnelConnect(connectResultOf(failure.reason));
    log.error('tunnel_rejected', {
      url: config.tunnel.url,
      reason: failure.reason,
      why: failure.message,
      hint: failure.hint,
    });
    const { closeCode, retryAfterSec } = error as { closeCode?: number; retryAfterSec?: number };
    return {
      kind: 'failed',
      permanent: failure.permanent,
      closeCode,
      retryAfterMs: retryAfterSec === undefined ? undefined : retryAfterSec * 1000,
      // Even when we know of no stream: the hub may have opened one that has not come through yet.
      streamsWait: this.#suspended !== undefined,
    };
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

/** Behind a call, so that the compiler does not take an earlier look for the present. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
