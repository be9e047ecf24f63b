/** Carries one offered stream: looks its connector up in the agent's own map, connects the target, and reports the end. */
import type { Logger } from '../../observability/log.js';
import type { ConnectorMetrics } from '../../observability/connector-metrics.js';
import type { RstReason } from '../../protocol/index.js';
import type { Clock } from '../../transport/clock.js';
import { Pipe, type PipeOutcome } from '../../transport/pipe.js';
import { resetSocket } from '../../transport/reset-socket.js';
import type { StreamHandle, StreamOffer } from '../../transport/pump.js';
import type { TargetConfig } from '../../config/types.js';
import { connectTarget, type ConnectTargetDeps } from '../targets/connect-target.js';
import { TargetError } from '../targets/target-error.js';
import type { AgentTunnel } from '../tunnel/agent-tunnel.js';

export interface TargetRelayContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly dial: ConnectTargetDeps;
  readonly counters: ConnectorMetrics;
  readonly idleTimeoutMs: number;
  onEnd(relay: TargetRelay): void;
}

export class TargetRelay {
  readonly connector: string;
  readonly #context: TargetRelayContext;
  readonly #offer: StreamOffer;
  readonly #handle: StreamHandle;
  readonly #pipe: Pipe;
  readonly #startedAt: number;
  /** Aborts the dial when the stream is gone. */
  readonly #left = new AbortController();
  #opened = false;

  constructor(context: TargetRelayContext, tunnel: AgentTunnel, offer: StreamOffer, target: TargetConfig) {
    this.#context = context;
    this.#offer = offer;
    this.connector = offer.connector;
    this.#startedAt = context.clock.now();
    const { counters } = context;
    this.#pipe = new Pipe('target', {
      onBytes: (direction, count) => counters.bytes(direction === 'fromSocket' ? 'a2c' : 'c2a', count),
      onEnd: (outcome) => this.#onEnd(outcome),
      close: (socket) => socket.destroy(),
      now: () => context.clock.now(),
    });
    this.#handle = tunnel.pump.adopt(offer.cid, this.#pipe);
    this.#pipe.bind(this.#handle);
    void this.#connect(target);
  }

  abort(reason: RstReason): void {
    this.#pipe.abort(reason);
  }

  checkIdle(now: number): void {
    this.#pipe.checkIdle(now, this.#context.idleTimeoutMs);
  }

  async #connect(target: TargetConfig): Promise<void> {
    const { counters, clock, log, dial } = this.#context;
    const { connector, cid, client } = this.#offer;
    try {
      const socket = await connectTarget({ connector, target, signal: this.#left.signal, deps: dial });
      if (this.#left.signal.aborted) {
        resetSocket(socket);
        return;
      }
      this.#opened = true;
      const seconds = (clock.now() - this.#startedAt) / 1000;
      counters.opened();
      counters.openFinished('opened', seconds);
      log.info('stream_opened', { cid, connector, client, open_ms: Math.round(seconds * 1000) });
      this.#handle.accept();
      this.#pipe.attach(socket);
    } catch (error) {
      if (this.#left.signal.aborted) return;
      const reason = error instanceof TargetError ? error.rstReason : 'internal';
      log.warn('target_failed', {
        cid,
        connector,
        client,
        reason,
        why: error instanceof TargetError ? error.message : 'an internal error',
        error: error instanceof TargetError ? undefined : error,
      });
      this.#pipe.abort(reason);
    }
  }

  #onEnd(outcome: PipeOutcome): void {
    this.#left.abort(new Error('the stream is gone'));
    const { clock, counters, log } = this.#context;
    const seconds = (clock.now() - this.#startedAt) / 1000;
    const reason = outcome.reason ?? 'finished';
    counters.stalled('target', outcome.waitedForSocketMs / 1000);
    counters.stalled('tunnel', outcome.waitedForTunnelMs / 1000);
    if (!this.#opened) counters.openFinished(openResultOf(reason), seconds);
    counters.closed(reason, seconds);
    log.info('stream_closed', {
      cid: this.#offer.cid,
      connector: this.connector,
      client: this.#offer.client,
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
