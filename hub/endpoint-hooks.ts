/** What the tunnel endpoint is told to do with an agent, and what is counted and logged. */
import { acceptTunnel, type TunnelContext } from './tunnels/accept-tunnel.js';
import type { EndpointHooks } from './tunnels/endpoint.js';

/** Makes the hooks of the endpoint whose agents become tunnels of `context`. */
export function endpointHooks(context: TunnelContext): EndpointHooks {
  const { log, metrics, registry } = context;
  return {
    verify: (token) => context.verify(token),
    // Who has a session here may go on with it: its streams are what the hub waits for.
    draining: ({ agentId }) => context.draining() && !registry.has(agentId),
    onLink: (link, identity) => acceptTunnel(context, link, identity),
    onAuthFailed: (error, peer) => {
      metrics.authFailure(error.reason);
      metrics.tunnelConnect('unauthenticated');
      log.warn('auth_failed', { reason: error.reason, detail: error.message, remote: peer });
    },
    onRejected: (status, why, peer) => {
      const overloaded = status === 503 && !context.draining();
      metrics.tunnelConnect(overloaded ? 'limit' : status === 503 ? 'draining' : 'protocol_error');
      log.warn('tunnel_rejected', { status, why, remote: peer });
    },
    onCrowded: (peer) => {
      metrics.tunnelConnect('limit');
      log.warn('tunnel_rejected', { why: 'too many connections that are no tunnel yet', remote: peer });
    },
  };
}
