/** Carries one offered stream: looks its connector up in the agent's own map, connects the target, and reports the end. */
import type { Socket } from 'node:net';
import type { Logger } from '../../observability/log.js';
import type { ConnectorMetrics } from '../../observability/connector-metrics.js';
import type { RstReason } from '../../protocol/index.js';
import type { Clock } from '../../transport/clock.js';
import { Pipe, type PipeHooks, type PipeOutcome } from '../../transport/pipe.js';
import type { StreamHandle, StreamOffer } from '../../transport/pump.js';
import type { TargetConfig } from '../../config/types.js';
import { TargetDial, type ConnectTargetDeps, type TargetOwner } from '../targets/connect-target.js';
import type { TargetError } from '../targets/target-error.js';
import type { AgentTunnel } from '../tunnel/agent-tunnel.js';

export interface TargetRelayContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly dial: ConnectTargetDeps;
  readonly counters: ConnectorMetrics;
  /** The id this agent has, for the log. */
  readonly agentId: string;
  readonly idleTimeoutMs: number;
  onEnd(relay: TargetRelay): void;
}

/** It is its pipe's and its dial's own hooks: one object for each stream instead of a handful of closures. */
export class TargetRelay implements PipeHooks, TargetOwner {
  readonly connector: string;
  readonly #context: TargetRelayContext;
  readonly #client: string;
  readonly #handle: StreamHandle;
  readonly #pipe: Pipe;
  readonly #startedAt: number;
  /** Until the target is connected. */
  #dial: TargetDial | undefined;
  #opened = false;

  constructor(context: TargetRelayContext, tunnel: AgentTunnel, offer: StreamOffer, target: TargetConfig) {
    this.#context = context;
    this.#client = offer.client;
    this.connector = offer.connector;
    this.#startedAt = context.clock.now();
    this.#pipe = new Pipe('target', this);
    this.#handle = tunnel.pump.adopt(offer.cid, this.#pipe);
    this.#pipe.bind(this.#handle);
    this.#dial = new TargetDial(this.connector, target, context.dial, this);
  }

  /** Begins to dial; to be called once. It may end before this returns. */
  start(): void {
    this.#dial?.start();
  }

  abort(reason: RstReason): void {
    this.#pipe.abort(reason);
  }

  checkIdle(now: number): void {
    this.#pipe.checkIdle(now, this.#context.idleTimeoutMs);
  }

  // ---- the target -----------------------------------------------------------------------------------------

  onConnected(socket: Socket): void {
    this.#dial = undefined;
    this.#opened = true;
    const { counters, clock, log } = this.#context;
    const seconds = (clock.now() - this.#startedAt) / 1000;
    counters.opened();
    counters.openFinished('opened', seconds);
    log.info('stream_opened', {
      cid: this.#handle.cid,
      connector: this.connector,
      agent: this.#context.agentId,
      client: this.#client,
      open_ms: Math.round(seconds * 1000),
    });
    this.#handle.accept();
    this.#pipe.attach(socket);
  }

  onDialFailed(error: TargetError): void {
    this.#dial = undefined;
    this.#context.log.warn('target_failed', {
      cid: this.#handle.cid,
      connector: this.connector,
      agent: this.#context.agentId,
      client: this.#client,
      reason: error.rstReason,
      why: error.message,
    });
    this.#pipe.abort(error.rstReason);
  }

  // ---- the pipe -------------------------------------------------------------------------------------------

  onBytes(direction: 'fromSocket' | 'toSocket', count: number): void {
    this.#context.counters.bytes(direction === 'fromSocket' ? 'a2c' : 'c2a', count);
  }

  close(socket: Socket): void {
    socket.destroy();
  }

  now(): number {
    return this.#context.clock.now();
  }

  onEnd(outcome: PipeOutcome): void {
    this.#dial?.cancel();
    this.#dial = undefined;
    const { clock, counters, log } = this.#context;
    const seconds = (clock.now() - this.#startedAt) / 1000;
    const reason = outcome.reason ?? 'finished';
    counters.stalled('target', outcome.waitedForSocketMs / 1000);
    counters.stalled('tunnel', outcome.waitedForTunnelMs / 1000);
    if (!this.#opened) counters.openFinished(openResultOf(reason), seconds);
    counters.closed(reason, seconds);
    log.info('stream_closed', {
      cid: this.#handle.cid,
      connector: this.connector,
      agent: this.#context.agentId,
      client: this.#client,
      reason,
      bytes_c2a: outcome.bytesToSocket,
      bytes_a2c: outcome.bytesFromSocket,
      duration_ms: Math.round(seconds * 1000),
      waited_for: waitedFor(outcome),
    });
    this.#context.onEnd(this);
  }
}

function openResultOf(reason: RstReason | 'finished'): 'timeout' | 'cancelled' | 'refused' {
  if (reason === 'connect_timeout') return 'timeout';
  return reason === 'reset_by_client' || reason === 'tunnel_lost' ? 'cancelled' : 'refused';
}

function waitedFor(outcome: PipeOutcome): 'target' | 'tunnel' | 'nobody' {
  const { waitedForSocketMs: target, waitedForTunnelMs: tunnel } = outcome;
  if (target === 0 && tunnel === 0) return 'nobody';
  return target >= tunnel ? 'target' : 'tunnel';
}
