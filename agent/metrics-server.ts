import type { AgentConfig } from '../config/types.js';
import type { Metrics } from '../observability/metrics.js';
import { startStatusServer, type StatusServer } from '../observability/status-server.js';

/** Opens the agent's port for /metrics; rejects with words for the operator. */
export function startMetricsServer(
  metrics: Metrics,
  { healthHost, metricsPort }: AgentConfig['observability'],
): Promise<StatusServer> {
  return startStatusServer({
    host: healthHost,
    port: metricsPort,
    routes: {
      '/metrics': async () => ({
        status: 200,
        contentType: metrics.contentType,
        body: await metrics.text(),
      }),
    },
    configKey: 'observability.health_host, observability.metrics_port',
  });
}
