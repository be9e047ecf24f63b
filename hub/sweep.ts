/** What the hub looks for once a second, because nothing tells of it: idle streams, old tokens, spent descriptors. */
import type { HubConfig } from '../config/types.js';
import type { Logger } from '../observability/log.js';
import type { Metrics } from '../observability/metrics.js';
import { CloseCode } from '../protocol/index.js';
import type { Clock } from '../transport/clock.js';
import { DescriptorWatch } from './descriptor-watch.js';
import type { Relays } from './relay/relays.js';
import type { TunnelRegistry } from './tunnels/registry.js';

const SWEEP_MS = 1000;

export interface SweepParts {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly relays: Relays;
  readonly registry: TunnelRegistry;
  config(): HubConfig;
}

export class Sweep {
  readonly #parts: SweepParts;
  readonly #descriptors: DescriptorWatch;
  #cancel: (() => void) | undefined;

  constructor(parts: SweepParts, descriptors = new DescriptorWatch()) {
    this.#parts = parts;
    this.#descriptors = descriptors;
  }

  /** Looks from now on, until `stop`. */
  start(): void {
    this.#checkDescriptors();
    this.#later();
  }

  #later(): void {
    this.#cancel = this.#parts.clock.after(SWEEP_MS, () => {
      this.#parts.relays.sweep(this.#parts.clock.now());
      this.#tunnels();
      this.#checkDescriptors();
      this.#later();
    });
  }

  /** Idempotent. */
  stop(): void {
    this.#cancel?.();
    this.#descriptors.close();
  }

  #tunnels(): void {
    const { registry } = this.#parts;
    for (const tunnel of registry.all()) {
      tunnel.pump.measurePath();
      if (tunnel.overdue) void tunnel.pump.close(CloseCode.Unauthenticated, 'the token has expired');
      else if (tunnel.pump.session.cidsNearlySpent) tunnel.pump.drain(CloseCode.Normal, 0);
    }
    for (const tunnel of registry.retired()) {
      if (tunnel.activeStreams === 0) void tunnel.pump.close(CloseCode.Normal, 'its streams have finished');
    }
  }

  /** Nobody knows how many clients were closed: each second without a descriptor counts one on every listener. */
  #checkDescriptors(): void {
    const { log, metrics } = this.#parts;
    const { spent, news } = this.#descriptors.check();
    if (!spent) return;
    for (const { connector } of this.#parts.config().listeners) metrics.forConnector(connector).acceptError();
    if (news !== undefined) log.error('accept_error', { why: news.why, limit: news.limit, hint: news.hint });
  }
}
