import { expect } from 'chai';
import { hubRoutes, type HubState } from '../../../hub/status-routes.js';
import { newMetrics } from './bench.js';

describe("the hub's status port", () => {
  const answer = async (path: string, state: HubState): Promise<string> => {
    const route = hubRoutes(() => state, newMetrics('hub', ['web']))[path];
    const { status, body } = (await route?.()) ?? { status: 0, body: '' };
    return `${status} ${body}`;
  };

  it('is healthy whatever it does', async () => {
    for (const state of ['starting', 'ready', 'draining'] as const) {
      expect(await answer('/healthz', state)).to.equal('200 {"status":"ok"}');
    }
  });

  it('is ready only when everything is open and nothing ends', async () => {
    expect(await answer('/readyz', 'starting')).to.equal('503 degraded');
    expect(await answer('/readyz', 'ready')).to.equal('200 ready');
    expect(await answer('/readyz', 'draining')).to.equal('503 draining');
  });

  it('shows the metrics', async () => {
    expect(await answer('/metrics', 'ready'))
      .to.match(/^200 /)
      .and.include('nowconnect_tunnels');
  });
});
