/** Where the keys come from: a file or a URL behind one interface. */
import type { SecurityConfig } from '../../config/types.js';
import { FileJwks } from './jwks-file.js';
import type { JwksDeps, JwksSource } from './jwks-source.js';
import { UrlJwks } from './jwks-url.js';

/** @throws Error when the configuration names no JWKS, or one that cannot be trusted; the message says what to change. */
export function createJwksSource(
  security: Pick<SecurityConfig, 'jwksFile' | 'jwksUrl' | 'allowHttpJwks'>,
  deps: JwksDeps,
): JwksSource {
  if (security.jwksFile !== undefined) return new FileJwks(security.jwksFile, deps);
  if (security.jwksUrl !== undefined) return new UrlJwks(security.jwksUrl, security.allowHttpJwks, deps);
  throw new Error('security.jwks_url or security.jwks_file must be set');
}
