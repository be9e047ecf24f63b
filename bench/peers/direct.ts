/** No relay at all: what the machine and the load generator can do. */
import type { Peer } from './peer.js';

export const direct: Peer = {
  name: 'direct',
  label: 'direct',
  multiplexes: false,
  missing: () => Promise.resolve(undefined),
  async start({ targets, route }) {
    const ports = { bulk: await route(targets.bulk), probe: await route(targets.probe) };
    return { ports, stop: () => Promise.resolve() };
  },
};
