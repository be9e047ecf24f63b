/** Hub and agent as separate processes over WSS, with a real certificate and a real JWT. */
import { Owner } from '../../test/support/owner.js';
import { startAgent, startHub } from '../../test/support/hub-agent.js';
import type { Peer } from './peer.js';

/** @param logLevel of both daemons; at `info` each connection is logged on both sides */
export function nowconnect(logLevel: string): Peer {
  return {
    name: 'nowconnect',
    label: 'NowConnect',
    multiplexes: true,
    missing: () => Promise.resolve(undefined),
    async start({ targets, route, maxStreams }) {
      const owner = new Owner();
      const observability = { log_level: logLevel };
      const hub = await owner.own(
        startHub({
          listeners: { bulk: {}, probe: {} },
          config: {
            limits: { max_conn_total: 2 * maxStreams, max_streams_per_tunnel: 2 * maxStreams },
            observability,
          },
        }),
      );
      const tunnelPort = await route(hub.tunnelPort);
      await owner.own(
        startAgent({
          hub: `wss://localhost:${tunnelPort}/tunnel`,
          targets: { ...targets },
          config: { limits: { max_inflight_cids: 2 * maxStreams }, observability },
        }),
      );
      return { ports: { bulk: hub.port('bulk'), probe: hub.port('probe') }, stop: () => owner.stop() };
    },
  };
}
