import { assertCompactForm } from './compact.js';
import { AuthError } from './errors.js';

/**
 * The token of `Authorization: Bearer <token>` (RFC 6750 §2.1). The scheme is case-insensitive (RFC 9110 §11.1).
 *
 * @param headers names in lower case. Give it `request.headersDistinct`: in `request.headers` Node silently keeps the
 *   first of two Authorization headers, so a second one could not be refused.
 * @returns a text with the form of a compact JWS; nothing in it is verified yet
 * @throws AuthError `missing_token`, `malformed` or `too_large`
 */
export function bearerToken(headers: NodeJS.Dict<string | string[]>): string {
  const values = [headers['authorization'] ?? []].flat();
  const [value] = values;
  if (value === undefined) throw new AuthError('missing_token', 'no Authorization header');
  if (values.length > 1) throw new AuthError('malformed', 'more than one Authorization header');
  const scheme = /^bearer(?: +|$)/i.exec(value)?.[0];
  if (scheme === undefined) throw new AuthError('missing_token', 'the Authorization scheme is not Bearer');
  if (scheme.length === value.length) {
    throw new AuthError('missing_token', 'the Authorization header has no token after Bearer');
  }
  const token = value.slice(scheme.length);
  assertCompactForm(token);
  return token;
}
