/** What the hub's gauges read at a scrape. */
import type { HubConfig } from '../config/types.js';
import type { Metrics } from '../observability/metrics.js';
import type { Clock } from '../transport/clock.js';
import type { Relays } from './relay/relays.js';
import type { TunnelRegistry } from './tunnels/registry.js';

export interface MetricParts {
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly registry: TunnelRegistry;
  readonly relays: Relays;
  readonly config: () => HubConfig;
}

/** Connects the gauges of a hub to its parts. */
export function connectMetrics({ metrics, clock, registry, relays, config }: MetricParts): void {
  metrics.setSources({
    activeConnections: () => relays.counts(),
    tunnels: () => registry.connected,
    tunnelUptimeSeconds: () =>
      registry
        .all()
        .filter(({ pump }) => !pump.session.suspended)
        .map((tunnel) => [tunnel.agentId, (clock.now() - tunnel.connectedAt) / 1000] as const),
    bufferedBytes: () => {
      for (const tunnel of registry.all()) tunnel.tellCounts(metrics);
      return buffered(registry);
    },
    connectorUp: () =>
      config().listeners.map(({ connector, agents }) => [connector, isServed(registry, connector, agents)]),
  });
}

function buffered(registry: TunnelRegistry): { send: number; receive: number } {
  const sum = { send: 0, receive: 0 };
  for (const { pump } of registry.all()) {
    sum.send += pump.session.held.send;
    sum.receive += pump.session.held.receive;
  }
  return sum;
}

function isServed(
  registry: TunnelRegistry,
  connector: string,
  agents: readonly string[] | undefined,
): boolean {
  for (const tunnel of registry.candidates()) {
    if (!tunnel.acceptsNew || !tunnel.connectors.has(connector)) continue;
    if (agents === undefined || agents.includes(tunnel.agentId)) return true;
  }
  return false;
}
