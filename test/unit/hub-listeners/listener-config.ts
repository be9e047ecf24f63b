import type { ListenerConfig, ProxyProtocolConfig } from '../../../config/types.js';

export const NO_PROXY: ProxyProtocolConfig = { accept: 'off', trustedCidrs: [], send: 'off' };

/** A listener on a free loopback port that takes everyone, less what the test changes. */
export function listenerConfig(changes: Partial<ListenerConfig> = {}): ListenerConfig {
  return {
    name: 'db',
    bind: { host: '127.0.0.1', port: 0 },
    connector: 'db',
    allowCidrs: [],
    agents: undefined,
    maxConnections: undefined,
    idleTimeoutMs: 0,
    waitForAgentMs: 3000,
    proxyProtocol: NO_PROXY,
    ...changes,
  };
}
