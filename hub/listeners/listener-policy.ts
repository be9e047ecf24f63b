import type { ListenerConfig } from '../../config/types.js';
import { type CidrMatcher, createCidrMatcher } from './cidr.js';
import type { ProxyVersion } from './proxy-protocol.js';

/** Who may come in on a listener, made from its configuration once. */
export interface ListenerPolicy {
  readonly config: ListenerConfig;
  /** The real clients. */
  readonly allowed: CidrMatcher;
  /** undefined: no PROXY header is expected. */
  readonly proxied:
    { readonly version: ProxyVersion; readonly isTrusted: (peer: string) => boolean } | undefined;
}

export function createListenerPolicy(config: ListenerConfig): ListenerPolicy {
  const { accept, trustedCidrs } = config.proxyProtocol;
  const trusted = createCidrMatcher(trustedCidrs);
  // An empty list of proxies trusts nobody, unlike an empty list of clients.
  const isTrusted = (peer: string): boolean => trustedCidrs.length > 0 && trusted.allows(peer);
  return {
    config,
    allowed: createCidrMatcher(config.allowCidrs),
    proxied: accept === 'off' ? undefined : { version: accept, isTrusted },
  };
}
