/** The metrics that are read at a scrape rather than counted. */
import type { GaugeOf, Instruments } from './instruments.js';
import { BUFFER_KINDS, type BufferKind } from './metric-labels.js';

/** What is read at a scrape rather than counted. A source that throws loses its own gauge, not the scrape. */
export interface MetricSources {
  /** Open TCP connections by connector. */
  activeConnections(): Iterable<readonly [connector: string, count: number]>;
  /** Authenticated tunnels that are up. */
  tunnels(): number;
  tunnelUptimeSeconds(): Iterable<readonly [agentId: string, seconds: number]>;
  /** Payload bytes held for peers that are not ready. */
  bufferedBytes(): Readonly<Record<BufferKind, number>>;
  /** Hub: an agent serves it. Agent: the target is thought to be healthy. */
  connectorUp(): Iterable<readonly [connector: string, up: boolean]>;
  /** `exp` of the token in use, in seconds since 1970; undefined when there is none. */
  tokenExpirySeconds(): number | undefined;
}

interface GaugeParts {
  readonly hub: boolean;
  /** What can be read by now. */
  readonly sources: () => Partial<MetricSources>;
  /** Those of the configuration. */
  connectors(): Iterable<string>;
  connectorLabel(name: string): string;
  agentLabel(agentId: string): string;
}

/** Adds the gauges that `parts` feeds. */
export function addGauges(make: Instruments, parts: GaugeParts): void {
  const { sources } = parts;
  make.gauge('tcp_active_connections', 'Open TCP connections.', {
    labels: ['connector'],
    collect: (gauge) => setPerConnector(parts, gauge, sources().activeConnections?.() ?? []),
  });
  make.gauge('connector_up', 'Whether the connector can be served now.', {
    labels: ['connector'],
    collect: (gauge) => setPerConnector(parts, gauge, sources().connectorUp?.() ?? []),
  });
  make.gauge('tunnels', 'Authenticated tunnels that are up.', {
    collect: (gauge) => gauge.set({}, sources().tunnels?.() ?? 0),
  });
  make.gauge('tunnel_uptime_seconds', 'Age of the tunnel in use.', {
    labels: ['agent'],
    collect: (gauge) => setUptime(parts, gauge),
  });
  make.gauge('buffered_bytes', 'Payload bytes held in memory.', {
    labels: ['kind'],
    collect: (gauge) => {
      const bytes = sources().bufferedBytes?.();
      for (const kind of BUFFER_KINDS) gauge.set({ kind }, bytes?.[kind] ?? 0);
    },
  });
  make.gauge(
    'token_expiry_timestamp_seconds',
    'When the token in use expires, in seconds since 1970; 0 without a token.',
    { shown: !parts.hub, collect: (gauge) => gauge.set({}, sources().tokenExpirySeconds?.() ?? 0) },
  );
}

/** Every configured connector gets a value, 0 when the source does not name it. */
function setPerConnector(
  parts: GaugeParts,
  gauge: GaugeOf<'connector'>,
  values: Iterable<readonly [connector: string, value: number | boolean]>,
): void {
  for (const connector of parts.connectors()) gauge.set({ connector }, 0);
  for (const [name, value] of values) gauge.set({ connector: parts.connectorLabel(name) }, Number(value));
}

/** An agent that left loses its series; of those that share `other`, the oldest tunnel counts. */
function setUptime(parts: GaugeParts, gauge: GaugeOf<'agent'>): void {
  gauge.reset();
  const uptimes = new Map<string, number>();
  for (const [agentId, seconds] of parts.sources().tunnelUptimeSeconds?.() ?? []) {
    const label = parts.agentLabel(agentId);
    uptimes.set(label, Math.max(seconds, uptimes.get(label) ?? 0));
  }
  for (const [agent, seconds] of uptimes) gauge.set({ agent }, seconds);
}
