import { AuthError } from './errors.js';

/** Largest token that is looked at, in bytes; as much as Node accepts in all headers together. */
export const MAX_TOKEN_BYTES = 16_384;

const COMPACT_JWS = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

/**
 * Checks that a text has the form of a JWS in compact serialization (RFC 7515 §7.1): three non-empty base64url
 * segments, at most {@link MAX_TOKEN_BYTES}. Each segment must be the one canonical spelling of its bytes (RFC 4648
 * §3.5), so that one signature has one token text.
 *
 * @throws AuthError `too_large` or `malformed`
 */
export function assertCompactForm(token: string): void {
  if (token.length > MAX_TOKEN_BYTES) {
    throw new AuthError('too_large', `the token is larger than ${MAX_TOKEN_BYTES} bytes`);
  }
  const segments = COMPACT_JWS.exec(token)?.slice(1);
  if (segments === undefined) {
    throw new AuthError(
      'malformed',
      'the token is not a signed JWT: three base64url parts with a dot between them',
    );
  }
  for (const segment of segments) {
    if (Buffer.from(segment, 'base64url').toString('base64url') !== segment) {
      throw new AuthError('malformed', 'a part of the token is not canonical base64url');
    }
  }
}
