/** The hub's configuration from its file and the environment. */

import { checkHub } from './check-hub.js';
import { parseCidr } from './cidr.js';
import type { Environment } from './environment.js';
import { parseHost, parseHostPort } from './host-port.js';
import type { LoadResult } from './issue.js';
import { openDocument } from './open-document.js';
import { silenceLimitSec } from './ping-timeout.js';
import { removeAt, valueAt, type Mapping } from './plain-data.js';
import type { RawHub, RawListener } from './raw-types.js';
import type { Report } from './report.js';
import { hubSchema } from './schema-hub.js';
import type { HubConfig, HubTlsConfig, ListenerConfig } from './types.js';
import { schemaValidator } from './validate.js';

export interface LoadHubOptions {
  /** Path of the YAML file; also its name in findings. */
  readonly file: string;
  /** The file's text when it was read already; nothing is read then. */
  readonly text?: string | undefined;
  readonly env: Environment;
}

const validate = schemaValidator(hubSchema);

/**
 * Reads, checks and completes the hub's configuration. The environment wins over the file.
 * @throws ConfigError with all findings at once
 */
export function loadHubConfig({ file, text, env }: LoadHubOptions): LoadResult<HubConfig> {
  const kind = { schema: hubSchema, validate, prepare: preferJwksVariable };
  const { report, data } = openDocument(kind, file, text, env);
  checkHub(data as RawHub, report);
  const warnings = report.finish();
  // Without an error the data is what the schema describes, with its defaults.
  return { config: buildHub(data as RawHub), warnings };
}

/** The environment wins: with NOWCONNECT_JWKS_URL the file's jwks_file is not the second of two key sources. */
function preferJwksVariable(data: Mapping, _env: Environment, report: Report): void {
  const variable = report.originOf(['security', 'jwks_url']);
  const path = ['security', 'jwks_file'];
  if (variable === undefined || valueAt(data, path) === undefined) return;
  removeAt(data, path);
  report.warn(
    path,
    `is not used, because ${variable} is set`,
    'remove the line or unset the variable',
    'key',
  );
}

function buildHub(raw: RawHub): HubConfig {
  const { tunnel, limits, security, pdp, observability } = raw;
  return {
    listeners: raw.listeners.map((listener) => buildListener(listener, raw)),
    tunnel: {
      host: parseHost(tunnel.host),
      port: tunnel.port,
      path: tunnel.path,
      tls: buildTls(tunnel.tls),
      behindTlsProxy: tunnel.behind_tls_proxy,
      pingIntervalSec: tunnel.ping_interval_sec,
      pingTimeoutSec: silenceLimitSec(tunnel.ping_interval_sec, tunnel.ping_timeout_sec),
      resumeGraceSec: tunnel.resume_grace_sec,
      maxWsPayload: tunnel.max_ws_payload,
    },
    limits: {
      maxConnTotal: limits.max_conn_total,
      idleTimeoutMs: limits.idle_timeout_ms,
      connectTimeoutMs: limits.connect_timeout_ms,
      maxStreamsPerTunnel: limits.max_streams_per_tunnel,
      windowBytes: limits.window_bytes,
      maxWindowBytes: limits.max_window_bytes,
      tunnelBufferBytes: limits.tunnel_buffer_bytes,
      processBufferBytes: limits.process_buffer_bytes,
      drainGraceSec: limits.drain_grace_sec,
    },
    security: {
      jwksUrl: security.jwks_url,
      jwksFile: security.jwks_file,
      allowHttpJwks: security.allow_http_jwks,
      issuer: security.issuer,
      audience: security.audience,
      algorithms: security.algorithms,
      clockSkewSec: security.clock_skew_sec,
      agentIdClaim: security.agent_id_claim,
      connectorsClaim: security.connectors_claim,
      requireConnectorScopes: security.require_connector_scopes,
      allowCidrs: security.allow_cidrs.map(parseCidr),
    },
    pdp: {
      url: pdp.url,
      api: pdp.api,
      timeoutMs: pdp.timeout_ms,
      cacheTtlSec: pdp.cache_ttl_sec,
      failOpen: pdp.fail_open,
    },
    observability: {
      host: parseHost(observability.host),
      metricsPort: observability.metrics_port,
      logLevel: observability.log_level,
      logFormat: observability.log_format,
    },
  };
}

function buildListener(listener: RawListener, { security, limits }: RawHub): ListenerConfig {
  const { proxy_protocol: proxy } = listener;
  return {
    name: listener.name,
    bind: parseHostPort(listener.bind, 0),
    connector: listener.connector,
    allowCidrs: (listener.allow_cidrs ?? security.allow_cidrs).map(parseCidr),
    agents: listener.agents,
    maxConnections: listener.max_connections,
    idleTimeoutMs: listener.idle_timeout_ms ?? limits.idle_timeout_ms,
    waitForAgentMs: listener.wait_for_agent_ms,
    proxyProtocol: {
      accept: proxy.accept,
      trustedCidrs: proxy.trusted_cidrs.map(parseCidr),
      send: proxy.send,
    },
  };
}

function buildTls(tls: RawHub['tunnel']['tls']): HubTlsConfig | undefined {
  return (
    tls && {
      certFile: tls.cert_file,
      keyFile: tls.key_file,
      clientCaFile: tls.client_ca_file,
      minVersion: tls.min_version,
    }
  );
}
