/** Attempts to reach the hub, as the configuration of the moment says; tells the log and the metrics how they fail. */
import type { AgentConfig } from '../../config/types.js';
import type { Logger } from '../../observability/log.js';
import type { Metrics } from '../../observability/metrics.js';
import { CloseCode, type ProcessBudget } from '../../protocol/index.js';
import type { Clock } from '../../transport/clock.js';
import type { PumpHandlers } from '../../transport/pump.js';
import type { AttemptEnd } from '../dial/backoff.js';
import type { Environment } from '../dial/proxy-choice.js';
import { dialHub, type AgentTunnel, type DialContext, type Prepared } from './agent-tunnel.js';
import { explainFailure } from './explain-failure.js';
import { connectResultOf } from './failure-labels.js';

export interface HubDialerDeps {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly env: Environment;
  readonly version: string;
  readonly bootId: string;
  readonly processBudget: ProcessBudget;
  config(): AgentConfig;
  /** A token was read for an attempt; secret. */
  onToken(token: string): void;
}

/** What one attempt is for. */
export type Wish = Pick<DialContext, 'overlaps' | 'suspended' | 'resumeOnly' | 'signal'>;
export type FailedAttempt = Extract<AttemptEnd, { kind: 'failed' }>;
export type Handlers = (tunnel: () => AgentTunnel) => PumpHandlers;

export class HubDialer {
  readonly #deps: HubDialerDeps;
  /** The newest token known; secret. */
  #token: string | undefined;
  #proxy: string | undefined;
  /** Warnings of the files that were given: each is given once. */
  readonly #warned = new Set<string>();

  constructor(deps: HubDialerDeps) {
    this.#deps = deps;
  }

  /** How the proxy of the latest attempt was described, when there was one. */
  get proxy(): string | undefined {
    return this.#proxy;
  }

  /** The token file has a new content; secret. */
  tokenChanged(token: string): void {
    this.#token = token;
  }

  /** Gives a session the newest token when the hub has an older one for it: the file may have changed at any moment. */
  refresh(tunnel: AgentTunnel): void {
    if (this.#token === undefined || this.#token === tunnel.token) return;
    tunnel.token = this.#token;
    tunnel.pump.reauthenticate(this.#token);
  }

  /** One attempt; never rejects. */
  async dial(wish: Wish, handlersFor: Handlers): Promise<AgentTunnel | FailedAttempt> {
    const { clock, env, processBudget, bootId, version, log, metrics } = this.#deps;
    const config = this.#deps.config();
    log.debug('tunnel_connecting', { url: config.tunnel.url });
    let prepared: Prepared | undefined;
    const onPrepared = (what: Prepared): void => this.#onPrepared((prepared = what));
    const common = { config, env, clock, processBudget, bootId, version };
    try {
      const tunnel = await dialHub({ ...common, ...wish, onPrepared }, handlersFor);
      metrics.tunnelConnect('connected');
      return tunnel;
    } catch (error) {
      const { closeCode, retryAfterSec } = error as { closeCode?: number; retryAfterSec?: number };
      // Nobody's fault: we stop, or the session that was asked for is over.
      if (wish.signal.aborted || (wish.resumeOnly && closeCode === CloseCode.Normal)) {
        return { kind: 'failed', closeCode };
      }
      const permanent = await this.#tell(error, config, wish.signal, prepared);
      return {
        kind: 'failed',
        permanent,
        closeCode,
        retryAfterMs: retryAfterSec === undefined ? undefined : retryAfterSec * 1000,
        // Even when we know of no stream: the hub may have opened one that has not come through yet.
        streamsWait: wish.suspended !== undefined,
      };
    }
  }

  #onPrepared(prepared: Prepared): void {
    this.#proxy = prepared.proxy;
    this.#token = prepared.token;
    this.#deps.onToken(prepared.token);
    for (const why of prepared.warnings) {
      if (!this.#warned.has(why)) this.#deps.log.warn('config_warning', { why });
      this.#warned.add(why);
    }
  }

  /** Answers whether somebody has to repair something first. */
  async #tell(
    error: unknown,
    config: AgentConfig,
    signal: AbortSignal,
    prepared: Prepared | undefined,
  ): Promise<boolean> {
    const { log, metrics, env, clock } = this.#deps;
    const { proxy, token } = prepared ?? {};
    const failure = await explainFailure(error, { config, env, clock, signal, proxy, token });
    metrics.tunnelConnect(connectResultOf(failure.reason));
    log.error('tunnel_rejected', {
      url: config.tunnel.url,
      reason: failure.reason,
      why: failure.message,
      hint: failure.hint,
    });
    return failure.permanent;
  }
}
