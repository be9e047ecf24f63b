/** The TLS context of dials: made anew only when its files have changed. */
import { createHash } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureVersion } from 'node:tls';

export interface TlsOptions {
  readonly ca?: readonly string[] | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly minVersion?: SecureVersion | undefined;
}

/** Of the last dial. With roots of its own a context takes tens of milliseconds of the event loop: 150 certificates to parse. */
let kept: { readonly digest: string; readonly context: SecureContext } | undefined;

/** @throws Error when certificate and key cannot be used */
export function secureContextFor({ ca, cert, key, minVersion = 'TLSv1.2' }: TlsOptions): SecureContext {
  const digest = createHash('sha256')
    .update(JSON.stringify([ca ?? null, cert ?? null, key ?? null, minVersion]))
    .digest('hex');
  if (kept?.digest !== digest) {
    const context = createSecureContext({
      minVersion,
      ...(ca && { ca: [...ca] }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
    });
    kept = { digest, context };
  }
  return kept.context;
}
