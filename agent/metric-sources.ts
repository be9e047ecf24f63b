/** What the agent's gauges read at a scrape. */
import type { AgentConfig } from '../config/types.js';
import type { Metrics } from '../observability/metrics.js';
import type { Clock } from '../transport/clock.js';
import type { TargetRelay } from './relay/target-relay.js';
import type { TargetMap } from './targets/target-map.js';
import type { TunnelLoop } from './tunnel/tunnel-loop.js';

export interface MetricParts {
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly loop: TunnelLoop;
  readonly relays: ReadonlySet<TargetRelay>;
  config(): AgentConfig;
  targets(): TargetMap;
  /** Seconds since 1970. */
  tokenExpiry(): number | undefined;
}

/** Connects the gauges of an agent to its parts. */
export function connectMetrics({ metrics, clock, loop, relays, ...now }: MetricParts): void {
  metrics.setSources({
    activeConnections: () => {
      const counts = new Map<string, number>();
      for (const { connector } of relays) counts.set(connector, (counts.get(connector) ?? 0) + 1);
      return counts;
    },
    tunnels: () => [...loop.tunnels()].filter(({ pump }) => !pump.session.suspended).length,
    tunnelUptimeSeconds: () => {
      const { current } = loop;
      if (current === undefined) return [];
      return [[now.config().tunnel.agentId, (clock.now() - current.since) / 1000] as const];
    },
    bufferedBytes: () => {
      loop.tellCounts();
      const sum = { send: 0, receive: 0 };
      for (const { pump } of loop.tunnels()) {
        sum.send += pump.session.held.send;
        sum.receive += pump.session.held.receive;
      }
      return sum;
    },
    connectorUp: () =>
      now
        .config()
        .tunnel.exportedConnectors.map((connector) => [
          connector,
          loop.current !== undefined && now.targets().isUp(connector, clock.now()),
        ]),
    tokenExpirySeconds: () => now.tokenExpiry(),
  });
}
