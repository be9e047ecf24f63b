/** What the hub's parts need around them in tests: a configuration, a log that can be read, metrics of their own. */
import type { HubConfig } from '../../../config/types.js';
import { createLogger, type Logger } from '../../../observability/log.js';
import { createMetrics, type Metrics, type MetricsRole } from '../../../observability/metrics.js';
import { Metrics as ReadMetrics } from '../../support/prometheus-text.js';
import { waitFor } from '../../support/wait-for.js';

export type HubChanges = { readonly [Key in keyof HubConfig]?: Partial<HubConfig[Key]> };

/** A valid configuration on free loopback ports without listeners, less what the test changes. */
export function hubConfig({ listeners = [], ...changes }: HubChanges = {}): HubConfig {
  return {
    listeners: listeners as HubConfig['listeners'],
    tunnel: {
      host: '127.0.0.1',
      port: 0,
      path: '/tunnel',
      tls: undefined,
      behindTlsProxy: false,
      pingIntervalSec: 10,
      pingTimeoutSec: 25,
      resumeGraceSec: 60,
      maxWsPayload: 65_536,
      ...changes.tunnel,
    },
    limits: {
      maxConnTotal: 1000,
      idleTimeoutMs: 0,
      connectTimeoutMs: 5000,
      maxStreamsPerTunnel: 1000,
      windowBytes: 262_144,
      maxWindowBytes: 16_777_216,
      tunnelBufferBytes: 67_108_864,
      processBufferBytes: 536_870_912,
      drainGraceSec: 5,
      ...changes.limits,
    },
    security: {
      jwksUrl: undefined,
      jwksFile: '/nonexistent/jwks.json',
      allowHttpJwks: false,
      issuer: undefined,
      audience: 'nowconnect',
      algorithms: ['RS256'],
      clockSkewSec: 0,
      agentIdClaim: 'agent_id',
      connectorsClaim: 'connectors',
      requireConnectorScopes: false,
      allowCidrs: [],
      ...changes.security,
    },
    pdp: { url: '', api: 'authzen', timeoutMs: 500, cacheTtlSec: 0, failOpen: false, ...changes.pdp },
    observability: {
      host: '127.0.0.1',
      metricsPort: 0,
      logLevel: 'info',
      logFormat: 'json',
      ...changes.observability,
    },
  };
}

export type LogLine = Readonly<Record<string, unknown>> & { readonly event: string; readonly level: string };

/** A logger whose lines the test reads. */
export class LogBook {
  readonly lines: LogLine[] = [];
  readonly log: Logger;

  constructor(role: 'hub' | 'agent') {
    this.log = createLogger({
      role,
      level: 'info',
      format: 'json',
      destination: { write: (line) => void this.lines.push(JSON.parse(line) as LogLine) },
    });
  }

  of(event: string): LogLine[] {
    return this.lines.filter((line) => line.event === event);
  }

  /** The first line of that event with these fields, when it is there. */
  wait(event: string, fields: Readonly<Record<string, unknown>> = {}, timeoutMs = 8000): Promise<LogLine> {
    const matches = (line: LogLine): boolean =>
      Object.entries(fields).every(([key, value]) => line[key] === value);
    return waitFor(`${event} ${JSON.stringify(fields)}`, () => this.of(event).find(matches), { timeoutMs });
  }
}

export function newMetrics(role: MetricsRole, connectors: Iterable<string>): Metrics {
  return createMetrics({
    role,
    connectors,
    version: '1.2.3',
    nodeVersion: process.version,
    processMetrics: false,
  });
}

/** The sum of a metric's series with these labels, as a scrape shows it; the name without its prefix. */
export async function scraped(
  metrics: Metrics,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const all = new ReadMetrics(await metrics.text());
  if (all.series(`nowconnect_${name}`).length === 0) throw new Error(`no metric nowconnect_${name}`);
  return all.sum(`nowconnect_${name}`, labels);
}
