/** What the hub answers on its status port. */
import type { Metrics } from '../observability/metrics.js';
import type { StatusRoute } from '../observability/status-server.js';

export type HubState = 'starting' | 'ready' | 'draining';

/** /healthz: the process answers. /readyz: send clients here, or not. /metrics: Prometheus text. */
export function hubRoutes(state: () => HubState, metrics: Metrics): Readonly<Record<string, StatusRoute>> {
  const text = (status: number, body: string): { status: number; contentType: string; body: string } => ({
    status,
    contentType: 'text/plain; charset=utf-8',
    body,
  });
  return {
    '/healthz': () => ({ status: 200, contentType: 'application/json', body: '{"status":"ok"}' }),
    '/readyz': () => {
      if (state() === 'ready') return text(200, 'ready');
      return text(503, state() === 'draining' ? 'draining' : 'degraded');
    },
    '/metrics': async () => ({ status: 200, contentType: metrics.contentType, body: await metrics.text() }),
  };
}
