/** What the log and the metrics say about the life of a session at the agent. */
import type { AgentConfig } from '../../config/types.js';
import type { Logger } from '../../observability/log.js';
import type { Metrics } from '../../observability/metrics.js';
import { CloseCode } from '../../protocol/index.js';
import type { Clock } from '../../transport/clock.js';
import type { SessionEnd } from '../../transport/pump.js';
import { describeCloseCode } from '../dial/describe-close.js';
import type { AgentTunnel } from './agent-tunnel.js';

export interface ReportDeps {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  config(): AgentConfig;
}

export class SessionReports {
  readonly #deps: ReportDeps;
  /** Sessions that the hub did not have any more. */
  readonly #refused = new WeakSet<AgentTunnel>();

  constructor(deps: ReportDeps) {
    this.#deps = deps;
  }

  connected(tunnel: AgentTunnel, proxy: string | undefined): void {
    const { url, exportedConnectors } = this.#deps.config().tunnel;
    const { ack } = tunnel;
    this.#deps.log.info('tunnel_connected', {
      url,
      proxy,
      session: ack.sessionId,
      hub: ack.hubId,
      hub_version: ack.version,
      connectors: ack.connectors,
      refused_connectors: exportedConnectors.filter((name) => !ack.connectors.includes(name)),
    });
  }

  suspended(tunnel: AgentTunnel, why: string): void {
    this.#deps.log.warn('session_suspended', {
      session: tunnel.ack.sessionId,
      why,
      streams: tunnel.pump.streamCount,
      grace_ms: tunnel.ack.resume?.graceMs,
      up_ms: this.#upMs(tunnel),
    });
  }

  resumed(tunnel: AgentTunnel, suspendedMs: number): void {
    const { log, metrics } = this.#deps;
    metrics.sessionResume('resumed');
    metrics.tunnelReconnect(this.#deps.config().tunnel.agentId, 'lost');
    log.info('session_resumed', {
      session: tunnel.ack.sessionId,
      streams: tunnel.pump.streamCount,
      suspended_ms: Math.round(suspendedMs),
    });
  }

  /** Ends a session that the hub does not have any more. */
  refused(tunnel: AgentTunnel): void {
    this.#refused.add(tunnel);
    this.#deps.metrics.sessionResume('refused');
    void tunnel.pump.close(CloseCode.Normal, 'the hub does not have the session any more');
  }

  /** @param stopping the agent ends its sessions itself */
  ended(tunnel: AgentTunnel, end: SessionEnd, stopping: boolean): void {
    const { log, metrics } = this.#deps;
    const { sessionId } = tunnel.ack;
    if (end.by === 'us' && tunnel.pump.session.suspendedAtEnd && !this.#refused.has(tunnel)) {
      metrics.sessionResume('expired');
      log.warn('session_expired', { session: sessionId, why: end.message });
    }
    const { reason, hint } = describeCloseCode(end.code, 'the hub');
    // What was left in order, or stopped by us, is no loss.
    const finished = end.by === 'peer' && end.code === CloseCode.Normal && tunnel.pump.session.draining;
    const inOrder = stopping && end.by === 'us' ? 'stopped' : finished ? 'finished' : undefined;
    log[inOrder === undefined ? 'warn' : 'info']('tunnel_lost', {
      session: sessionId,
      code: end.code,
      by: end.by === 'us' ? 'agent' : 'hub',
      why: end.message,
      reason: inOrder ?? reason,
      hint: inOrder === undefined ? hint : undefined,
      up_ms: this.#upMs(tunnel),
    });
  }

  #upMs(tunnel: AgentTunnel): number {
    return Math.round(this.#deps.clock.now() - tunnel.since);
  }
}
