/** The agent's configuration from its file and the environment, or from the environment alone. */

import { checkAgent } from './check-agent.js';
import { applyTargetEnvironment } from './environment-targets.js';
import type { Environment } from './environment.js';
import { agentUrl } from './formats.js';
import { parseHost, parseHostPort } from './host-port.js';
import type { LoadResult } from './issue.js';
import { openDocument } from './open-document.js';
import { silenceLimitSec } from './ping-timeout.js';
import type { RawAgent, RawTarget } from './raw-types.js';
import { agentSchema } from './schema-agent.js';
import type { AgentConfig, HostPort, TargetConfig } from './types.js';
import { schemaValidator } from './validate.js';

export interface LoadAgentOptions {
  /** Path of the YAML file; absent: the environment alone. */
  readonly file?: string | undefined;
  /** The file's text when it was read already; nothing is read then. */
  readonly text?: string | undefined;
  readonly env: Environment;
}

const validate = schemaValidator(agentSchema);

/**
 * Reads, checks and completes the agent's configuration. The environment wins over the file.
 * @throws ConfigError with all findings at once
 */
export function loadAgentConfig({ file, text, env }: LoadAgentOptions): LoadResult<AgentConfig> {
  const kind = { schema: agentSchema, validate, prepare: applyTargetEnvironment };
  const { report, data } = openDocument(kind, file, text, env);
  checkAgent(data as RawAgent, report);
  const warnings = report.finish();
  // Without an error the data is what the schema describes, with its defaults.
  return { config: buildAgent(data as RawAgent), warnings };
}

function buildAgent(raw: RawAgent): AgentConfig {
  const { tunnel, limits, proxy, observability } = raw;
  const targets = new Map(
    Object.entries(raw.targets).map(([connector, target]) => [connector, buildTarget(target, raw)]),
  );
  return {
    tunnel: {
      url: agentUrl(tunnel.url),
      agentId: tunnel.agent_id,
      exportedConnectors: tunnel.exported_connectors ?? [...targets.keys()],
      tokenFile: tunnel.auth.token_file,
      caFile: tunnel.ca_file,
      certFile: tunnel.cert_file,
      keyFile: tunnel.key_file,
      pingIntervalSec: tunnel.ping_interval_sec,
      pingTimeoutSec: silenceLimitSec(tunnel.ping_interval_sec, tunnel.ping_timeout_sec),
    },
    targets,
    limits: {
      connectTimeoutMs: limits.connect_timeout_ms,
      idleTimeoutMs: limits.idle_timeout_ms,
      maxInflightCids: limits.max_inflight_cids,
    },
    proxy: {
      httpsProxy: proxy.https_proxy,
      noProxy: proxy.no_proxy,
      caBundle: proxy.ca_bundle,
      trustEnv: proxy.trust_env,
    },
    observability: {
      healthHost: parseHost(observability.health_host),
      healthPort: observability.health_port,
      metricsPort: observability.metrics_port,
      logLevel: observability.log_level,
      logFormat: observability.log_format,
    },
  };
}

function buildTarget(target: RawTarget, { limits }: RawAgent): TargetConfig {
  return {
    endpoints: endpointsOf(target),
    connectTimeoutMs: target.connect_timeout_ms ?? limits.connect_timeout_ms,
  };
}

function endpointsOf({ endpoints, host = '', port = 0 }: RawTarget): readonly HostPort[] {
  if (endpoints !== undefined) return endpoints.map((endpoint) => parseHostPort(endpoint));
  return [{ host: parseHost(host), port }];
}
