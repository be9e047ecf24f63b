/** Why an attempt failed, in words; for an untrusted certificate the issuer's name is asked for, which shows TLS inspection at a glance. */
import type { AgentConfig } from '../../config/types.js';
import type { Clock } from '../../transport/clock.js';
import { describeDialFailure } from '../dial/describe-failure.js';
import type { DialFailure } from '../dial/failure.js';
import { fetchPeerIssuer } from '../dial/peer-issuer.js';
import { createDialAgent } from '../dial/proxy.js';
import type { Environment } from '../dial/proxy-choice.js';
import { loadTlsMaterial } from '../dial/tls-roots.js';
import { tokenExpiry } from '../token/token-expiry.js';

export interface Attempt {
  readonly config: AgentConfig;
  readonly env: Environment;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How the proxy was described, when there was one. */
  readonly proxy: string | undefined;
  /** The token that was sent; secret. */
  readonly token: string | undefined;
}

/** Never rejects. */
export async function explainFailure(error: unknown, attempt: Attempt): Promise<DialFailure> {
  const { url } = attempt.config.tunnel;
  const expirySec = attempt.token === undefined ? undefined : tokenExpiry(attempt.token);
  const known = {
    url,
    proxy: attempt.proxy,
    nowMs: Date.now(),
    tokenExpiryMs: expirySec === undefined ? undefined : expirySec * 1000,
  };
  const failure = describeDialFailure(error, known);
  if (failure.reason !== 'tls_untrusted') return failure;
  const issuer = await issuerOf(attempt).catch(() => undefined);
  return describeDialFailure(error, { ...known, issuer });
}

async function issuerOf({ config, env, clock, signal }: Attempt): Promise<string | undefined> {
  const { proxy, tunnel } = config;
  const tls = await loadTlsMaterial({ ...tunnel, caBundle: proxy.caBundle }, Date.now());
  const way = createDialAgent({ targetUrl: tunnel.url, proxy, env, tls, clock });
  try {
    return await fetchPeerIssuer({ url: tunnel.url, httpAgent: way.httpAgent, signal, clock });
  } finally {
    way.destroy();
  }
}
