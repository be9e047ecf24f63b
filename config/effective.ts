/** An effective configuration as a document with the file's key names: what `nowconnect check` prints. */

import { formatHostPort } from './host-port.js';
import { maskUrl } from './masking.js';
import type { RawAgent, RawHub, RawListener, RawTarget } from './raw-types.js';
import type { AgentConfig, HubConfig, ListenerConfig, TargetConfig } from './types.js';
import { stringifyYaml } from './yaml.js';

/**
 * The hub's document, defaults and inherited values written out, credentials masked. Without credentials in URLs
 * it loads to the same configuration.
 */
export function hubDocument(config: HubConfig): RawHub {
  const { tunnel, limits, security, pdp, observability } = config;
  return {
    listeners: config.listeners.map(listenerDocument),
    tunnel: {
      host: tunnel.host,
      port: tunnel.port,
      path: tunnel.path,
      ...given('tls', tlsDocument(tunnel.tls)),
      behind_tls_proxy: tunnel.behindTlsProxy,
      ping_interval_sec: tunnel.pingIntervalSec,
      ping_timeout_sec: tunnel.pingTimeoutSec,
      resume_grace_sec: tunnel.resumeGraceSec,
      max_ws_payload: tunnel.maxWsPayload,
    },
    limits: {
      max_conn_total: limits.maxConnTotal,
      idle_timeout_ms: limits.idleTimeoutMs,
      connect_timeout_ms: limits.connectTimeoutMs,
      max_streams_per_tunnel: limits.maxStreamsPerTunnel,
      window_bytes: limits.windowBytes,
      max_window_bytes: limits.maxWindowBytes,
      tunnel_buffer_bytes: limits.tunnelBufferBytes,
      process_buffer_bytes: limits.processBufferBytes,
      drain_grace_sec: limits.drainGraceSec,
    },
    security: {
      ...given('jwks_url', masked(security.jwksUrl)),
      ...given('jwks_file', security.jwksFile),
      allow_http_jwks: security.allowHttpJwks,
      ...given('issuer', security.issuer),
      audience: security.audience,
      algorithms: security.algorithms,
      clock_skew_sec: security.clockSkewSec,
      agent_id_claim: security.agentIdClaim,
      connectors_claim: security.connectorsClaim,
      require_connector_scopes: security.requireConnectorScopes,
      allow_cidrs: security.allowCidrs,
    },
    pdp: {
      url: maskUrl(pdp.url),
      api: pdp.api,
      timeout_ms: pdp.timeoutMs,
      cache_ttl_sec: pdp.cacheTtlSec,
      fail_open: pdp.failOpen,
    },
    observability: {
      host: observability.host,
      metrics_port: observability.metricsPort,
      log_level: observability.logLevel,
      log_format: observability.logFormat,
    },
  };
}

/** The agent's document, under the same rules as hubDocument. */
export function agentDocument(config: AgentConfig): RawAgent {
  const { tunnel, limits, proxy, observability } = config;
  return {
    tunnel: {
      url: maskUrl(tunnel.url),
      agent_id: tunnel.agentId,
      exported_connectors: tunnel.exportedConnectors,
      auth: { token_file: tunnel.tokenFile },
      ...given('ca_file', tunnel.caFile),
      ...given('cert_file', tunnel.certFile),
      ...given('key_file', tunnel.keyFile),
      ping_interval_sec: tunnel.pingIntervalSec,
      ping_timeout_sec: tunnel.pingTimeoutSec,
    },
    targets: Object.fromEntries(
      [...config.targets].map(([connector, target]) => [connector, targetDocument(target)]),
    ),
    limits: {
      connect_timeout_ms: limits.connectTimeoutMs,
      idle_timeout_ms: limits.idleTimeoutMs,
      max_inflight_cids: limits.maxInflightCids,
    },
    proxy: {
      https_proxy: maskUrl(proxy.httpsProxy),
      no_proxy: proxy.noProxy,
      ca_bundle: proxy.caBundle,
      trust_env: proxy.trustEnv,
    },
    observability: {
      health_host: observability.healthHost,
      health_port: observability.healthPort,
      metrics_port: observability.metricsPort,
      log_level: observability.logLevel,
      log_format: observability.logFormat,
    },
  };
}

/** Either document as YAML text. */
export function documentYaml(document: RawHub | RawAgent): string {
  return stringifyYaml(document);
}

function listenerDocument(listener: ListenerConfig): RawListener {
  const { proxyProtocol: proxy } = listener;
  return {
    name: listener.name,
    bind: formatHostPort(listener.bind),
    connector: listener.connector,
    allow_cidrs: listener.allowCidrs,
    ...given('agents', listener.agents),
    ...given('max_connections', listener.maxConnections),
    idle_timeout_ms: listener.idleTimeoutMs,
    wait_for_agent_ms: listener.waitForAgentMs,
    proxy_protocol: { accept: proxy.accept, trusted_cidrs: proxy.trustedCidrs, send: proxy.send },
  };
}

function tlsDocument(tls: HubConfig['tunnel']['tls']): RawHub['tunnel']['tls'] {
  return (
    tls && {
      cert_file: tls.certFile,
      key_file: tls.keyFile,
      ...given('client_ca_file', tls.clientCaFile),
      min_version: tls.minVersion,
    }
  );
}

function targetDocument({ endpoints, connectTimeoutMs }: TargetConfig): RawTarget {
  const [first, ...others] = endpoints;
  const timeout = { connect_timeout_ms: connectTimeoutMs };
  return first !== undefined && others.length === 0
    ? { host: first.host, port: first.port, ...timeout }
    : { endpoints: endpoints.map(formatHostPort), ...timeout };
}

function masked(url: string | undefined): string | undefined {
  return url === undefined ? undefined : maskUrl(url);
}

/** A key that is left out when it has no value. */
function given<Key extends string, Value>(key: Key, value: Value | undefined): Partial<Record<Key, Value>> {
  return value === undefined ? {} : ({ [key]: value } as Record<Key, Value>);
}
