import type { AgentConfig } from '../../../config/types.js';

export type AgentChanges = { readonly [Key in keyof AgentConfig]?: Partial<AgentConfig[Key]> };

/** A valid configuration of an agent on free loopback ports, less what the test changes. */
export function agentConfig(url: string, tokenFile: string, changes: AgentChanges = {}): AgentConfig {
  const targets = (changes.targets ?? new Map()) as AgentConfig['targets'];
  return {
    tunnel: {
      url,
      agentId: 'site-a',
      exportedConnectors: [...targets.keys()],
      tokenFile,
      caFile: undefined,
      certFile: undefined,
      keyFile: undefined,
      pingIntervalSec: 10,
      pingTimeoutSec: 25,
      ...changes.tunnel,
    },
    targets,
    limits: { connectTimeoutMs: 2000, idleTimeoutMs: 0, maxInflightCids: 1000, ...changes.limits },
    proxy: { httpsProxy: '', noProxy: '', caBundle: '', trustEnv: false, ...changes.proxy },
    observability: {
      healthHost: '127.0.0.1',
      healthPort: 0,
      metricsPort: 0,
      logLevel: 'info',
      logFormat: 'json',
      ...changes.observability,
    },
  };
}
