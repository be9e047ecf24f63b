/** Keeps a tunnel to the hub: dials, waits for its end, backs off, dials again, until it is stopped. */
import type { AgentConfig } from '../../config/types.js';
import type { Logger } from '../../observability/log.js';
import type { Metrics } from '../../observability/metrics.js';
import { CloseCode, type ProcessBudget } from '../../protocol/index.js';
import type { Clock } from '../../transport/clock.js';
import { FrameCounts } from '../../transport/count-frames.js';
import type { PumpHandlers, SessionEnd, StreamOffer } from '../../transport/pump.js';
import { BACKOFF_START, nextAttempt, type AttemptEnd, type BackoffState } from '../dial/backoff.js';
import type { Environment } from '../dial/proxy-choice.js';
import type { AgentTunnel } from './agent-tunnel.js';
import { reconnectReasonOf } from './failure-labels.js';
import { HubDialer, type FailedAttempt } from './hub-dialer.js';
import { Pause } from './pause.js';
import { Resumer } from './resumer.js';
import { SessionReports } from './session-reports.js';

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
  | { readonly type: 'ended'; readonly code: number }
  | { readonly type: 'suspended' }
  | { readonly type: 'moved'; readonly code: number };

export class TunnelLoop {
  readonly #deps: TunnelLoopDeps;
  readonly #dialer: HubDialer;
  readonly #reports: SessionReports;
  /** Brings back what the loop itself does not dial for. */
  readonly #resumer: Resumer;
  readonly #stop = new AbortController();
  readonly #pause: Pause;
  /** Sessions that live: the current one, one that waits for a link, and older ones that drain. */
  readonly #tunnels = new Map<AgentTunnel, FrameCounts>();
  #current: AgentTunnel | undefined;
  /** The newest session, while it waits for a new link. */
  #suspended: AgentTunnel | undefined;
  /** Session that drains while its successor is dialled. */
  #overlaps: string | undefined;
  #leave: ((leave: Leave) => void) | undefined;
  #backoff: BackoffState = BACKOFF_START;
  #running: Promise<void> | undefined;
  /** Calls of `renew`: all of them, those before the present attempt, and those that the session knows of. */
  #renewals = 0;
  #renewalsAtDial = 0;
  #renewalsOfSession = 0;

  constructor(deps: TunnelLoopDeps) {
    this.#deps = deps;
    this.#pause = new Pause(deps.clock);
    this.#dialer = new HubDialer(deps);
    this.#reports = new SessionReports(deps);
    this.#resumer = new Resumer({
      ...deps,
      redial: (tunnel, signal) => this.#redial(tunnel, signal),
      onGone: (tunnel) => this.#reports.refused(tunnel),
    });
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

  /** The token file has a new content: the sessions that are up get it at once, a pause ends at once. */
  tokenChanged(token: string): void {
    this.#dialer.tokenChanged(token);
    for (const tunnel of this.#tunnels.keys())
      if (!tunnel.pump.session.suspended) this.#dialer.refresh(tunnel);
    this.#pause.end();
    this.#resumer.wake();
  }

  /** Moves to a fresh session, as after a change of the connectors; running streams finish on the old one. */
  renew(): void {
    this.#renewals += 1;
    this.#resumer.wake();
    if (this.#current === undefined) this.#pause.end();
    else this.#moveWhenDue(this.#current);
  }

  /** A session keeps what its HELLO offered: after a change it is left, once nothing of it is under way to be resumed. */
  #moveWhenDue(tunnel: AgentTunnel): void {
    const due = this.#renewalsOfSession !== this.#renewals;
    if (!due || tunnel !== this.#current || !tunnel.pump.session.up) return;
    tunnel.pump.drain(CloseCode.Normal, 0);
    this.#leave?.({ type: 'moved', code: CloseCode.Normal });
  }

  /** Tells the hub that no new streams are wanted; no fresh session is begun, those that run are brought back. */
  drain(graceMs: number): void {
    this.#stop.abort();
    this.#pause.end();
    for (const { pump } of this.#tunnels.keys()) pump.drain(CloseCode.Draining, graceMs);
  }

  /** Ends all tunnels; resolves when they are gone. */
  async close(): Promise<void> {
    this.drain(0);
    const resumerClosed = this.#resumer.close();
    const gone = [...this.#tunnels.keys()].map(({ pump }) =>
      pump.close(CloseCode.Normal, 'the agent is shutting down'),
    );
    await Promise.all([...gone, this.#running, resumerClosed]);
  }

  /** Adds to the metrics what the sessions have counted since the last call. */
  tellCounts(): void {
    for (const counts of this.#tunnels.values()) counts.tell(this.#deps.metrics.frameSink());
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const end = await this.#attempt();
      if (isAborted(signal)) break;
      const next = nextAttempt(this.#backoff, end, this.#deps.random());
      this.#backoff = next.state;
      this.#deps.log.info('tunnel_retry', {
        in_ms: next.delayMs,
        why: next.why,
        failures: next.state.failures,
      });
      await this.#pause.wait(next.delayMs);
    }
    // We drain: the loop begins nothing any more, the streams of this session still run.
    const waiting = this.#suspended;
    this.#suspended = undefined;
    if (waiting !== undefined) this.#resumer.keep(waiting);
  }

  async #attempt(): Promise<AttemptEnd> {
    const dialled = await this.#dial();
    if ('kind' in dialled) return dialled;
    const left = new Promise<Leave>((resolve) => (this.#leave = resolve));
    this.#enter(dialled);
    const leave = await left;
    this.#current = undefined;
    return this.#onLeft(dialled, leave);
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
    // Its link may have been lost in the same moment.
    if (tunnel.pump.session.suspended) this.#resumer.keep(tunnel);
    const reason = leave.type === 'moved' ? 'draining' : reconnectReasonOf(leave.code);
    metrics.tunnelReconnect(agentId, reason);
    return { kind: 'lost', upMs, closeCode: leave.code };
  }

  #enter(tunnel: AgentTunnel): void {
    const suspended = this.#suspended;
    this.#suspended = undefined;
    this.#current = tunnel;
    const { session } = tunnel.pump;
    if (tunnel !== suspended) {
      this.#renewalsOfSession = this.#renewalsAtDial;
      this.#tunnels.set(tunnel, new FrameCounts(session.counters));
      this.#reports.connected(tunnel, this.#dialer.proxy);
      if (suspended !== undefined) this.#reports.refused(suspended);
    }
    this.#dialer.refresh(tunnel);
    // It may be over, without a link again, or left by the hub, between the handshake and now.
    if (session.ended) this.#leave?.({ type: 'ended', code: CloseCode.Normal });
    else if (session.suspended) this.#leave?.({ type: 'suspended' });
    else if (session.draining) this.#leave?.({ type: 'moved', code: CloseCode.Draining });
    else this.#moveWhenDue(tunnel);
  }

  /** One attempt for a session to work with: the one that waits, or a fresh one. */
  #dial(): Promise<AgentTunnel | FailedAttempt> {
    this.#renewalsAtDial = this.#renewals;
    const { signal } = this.#stop;
    const wish = { overlaps: this.#overlaps, suspended: this.#suspended, resumeOnly: false, signal };
    return this.#dialer.dial(wish, (tunnel) => this.#handlersOf(tunnel));
  }

  /** One attempt for a session that drains. */
  async #redial(tunnel: AgentTunnel, signal: AbortSignal): Promise<AgentTunnel | FailedAttempt> {
    const wish = { overlaps: undefined, suspended: tunnel, resumeOnly: true, signal };
    const dialled = await this.#dialer.dial(wish, (fresh) => this.#handlersOf(fresh));
    if (!('kind' in dialled)) this.#dialer.refresh(dialled);
    return dialled;
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
      onResumed: (suspendedMs) => {
        this.#reports.resumed(tunnel(), suspendedMs);
        this.#moveWhenDue(tunnel());
      },
      onEnded: (end) => this.#onEnded(tunnel(), end),
    };
  }

  #onSuspended(tunnel: AgentTunnel, why: string): void {
    this.#reports.suspended(tunnel, why);
    if (this.#current === tunnel) this.#leave?.({ type: 'suspended' });
    // One that is not entered yet, or waits already, is the loop's own.
    else if (this.#tunnels.has(tunnel) && this.#suspended !== tunnel) this.#resumer.keep(tunnel);
  }

  #onEnded(tunnel: AgentTunnel, end: SessionEnd): void {
    this.tellCounts();
    this.#tunnels.delete(tunnel);
    if (this.#suspended === tunnel) this.#suspended = undefined;
    this.#reports.ended(tunnel, end, this.#stop.signal.aborted);
    if (this.#current === tunnel) this.#leave?.({ type: 'ended', code: end.code });
  }
}

/** Behind a call, so that the compiler does not take an earlier look for the present. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
