import type { AgentConfig } from '../config/types.js';

export interface ReloadPlan {
  /** What is in force from now on: the new configuration, less what only a restart changes. */
  readonly config: AgentConfig;
  /** HELLO or the way to the hub differ: a fresh session is due. */
  readonly freshSession: boolean;
  readonly tokenFile: boolean;
  /** YAML keys that changed and count only after a restart. */
  readonly restartRequired: readonly string[];
}

/** What stays as it runs until a restart. */
const RESTART_KEYS = {
  healthHost: 'health_host',
  healthPort: 'health_port',
  metricsPort: 'metrics_port',
  logFormat: 'log_format',
} as const;

/** What a reload from `before` to `next` changes. Pure; what is read at each attempt counts from the next one on. */
export function planReload(before: AgentConfig, next: AgentConfig): ReloadPlan {
  const { healthHost, healthPort, metricsPort, logFormat } = before.observability;
  const running = { healthHost, healthPort, metricsPort, logFormat };
  const keys = Object.keys(running) as (keyof typeof running)[];
  const changed = keys.filter((key) => before.observability[key] !== next.observability[key]);
  return {
    config: { ...next, observability: { ...next.observability, ...running } },
    freshSession: differ(before.tunnel, next.tunnel) || differ(before.proxy, next.proxy),
    tokenFile: before.tunnel.tokenFile !== next.tunnel.tokenFile,
    restartRequired: changed.map((key) => `observability.${RESTART_KEYS[key]}`),
  };
}

function differ(before: object, next: object): boolean {
  return JSON.stringify(before) !== JSON.stringify(next);
}
