import type { DialFailure, DialFailureReason } from './failure.js';
import type { ProxyError } from './proxy-error.js';

const CREDENTIALS =
  'set proxy.https_proxy (or HTTPS_PROXY with NC_TRUST_ENV) to http://USER:PASSWORD@HOST:PORT; percent-encode special characters';

/** Words for a failure on the way to or at the proxy. */
export function describeProxyError(error: ProxyError, hubHost: string): DialFailure {
  const { reason, hint, permanent } = explain(error, hubHost);
  return { reason, message: error.message, hint, permanent };
}

interface Explanation {
  readonly reason: DialFailureReason;
  readonly hint: string;
  readonly permanent: boolean;
}

function explain({ kind, status }: ProxyError, hubHost: string): Explanation {
  switch (kind) {
    case 'refused':
      return explainRefusal(status, hubHost);
    case 'timeout':
      return {
        reason: 'proxy_timeout',
        hint: `the proxy is there but silent: is it overloaded, or does it wait for ${hubHost}, which it cannot reach?`,
        permanent: false,
      };
    case 'bad_response':
      return { reason: 'proxy_bad_response', hint: 'is this the port of an HTTP proxy?', permanent: false };
    case 'connect':
      return {
        reason: 'proxy_unreachable',
        hint: 'check host and port of the proxy, and that it runs; NO_PROXY or proxy.no_proxy exempts the hub from it',
        permanent: false,
      };
    case 'tls':
      return {
        reason: 'proxy_tls',
        hint: 'put the root certificate of the proxy into NC_CA_BUNDLE, or use http:// if its port is without TLS',
        permanent: true,
      };
  }
}

function explainRefusal(status: number | undefined, hubHost: string): Explanation {
  if (status === 407) return { reason: 'proxy_auth', hint: CREDENTIALS, permanent: true };
  if (status !== undefined && status >= 500) {
    const hint = `the proxy cannot reach ${hubHost}: look at its log, its DNS and its firewall`;
    return { reason: 'proxy_refused', hint, permanent: false };
  }
  const hint = `the proxy does not allow CONNECT to ${hubHost}: have it allowed there`;
  return { reason: 'proxy_refused', hint, permanent: true };
}
