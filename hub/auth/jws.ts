/** The one file that uses jose: reading a JWS header, choosing the key of a JWKS, checking the signature. */
import { compactVerify, createLocalJWKSet, decodeProtectedHeader, errors } from 'jose';
import type { JwtAlgorithm } from '../../config/types.js';
import { AuthError, quote } from './errors.js';
import { readJwks } from './jwks-document.js';

/** What of a token's header is used. `jwk`, `jku`, `x5u`, `x5c` and the like are not: keys come from the JWKS alone. */
export interface TokenHeader {
  readonly alg: string;
  readonly kid: string | undefined;
}

/** The public keys of one JWKS. */
export interface KeySet {
  /**
   * Checks the signature with the one key that fits `alg` and `kid`.
   *
   * @returns the signed bytes
   * @throws AuthError `missing_kid`, `unknown_kid`, `alg_mismatch` or `bad_signature`
   */
  verify(token: string, header: TokenHeader): Promise<Uint8Array>;
}

const TOKEN_TYPES = new Set(['jwt', 'at+jwt']);

/**
 * Makes a key set of a JWKS document (RFC 7517).
 *
 * @returns the set, and for the log why some of its keys are not used
 * @throws Error when the text is not a JWKS; the message says what is wrong
 */
export function parseKeySet(json: string): { keys: KeySet; problems: readonly string[] } {
  const { jwks, problems } = readJwks(json);
  const local = createLocalJWKSet({ keys: jwks });
  const kids = new Set(jwks.map((jwk) => jwk.kid));
  return {
    problems,
    keys: {
      async verify(token, header) {
        try {
          const { payload } = await compactVerify(token, local, { algorithms: [header.alg] });
          return payload;
        } catch (error) {
          throw refusal(error, header, kids);
        }
      },
    },
  };
}

/**
 * Reads and judges the header of a compact JWS, before any key is looked for.
 *
 * @throws AuthError `malformed`, `alg_not_allowed`, `unsupported_header`, `wrong_type` or `unknown_kid`
 */
export function readHeader(token: string, allowed: readonly JwtAlgorithm[]): TokenHeader {
  const { alg, kid, typ, crit, b64 } = parseHeader(token);
  if (typeof alg !== 'string' || !isAllowed(alg, allowed)) {
    throw new AuthError('alg_not_allowed', `alg ${quote(alg)} is not in security.algorithms`);
  }
  // RFC 7515 §4.1.11: whoever does not understand a critical parameter must refuse, and none is understood here.
  if (crit !== undefined || (b64 !== undefined && b64 !== true)) {
    throw new AuthError('unsupported_header', 'the header uses crit or b64, which are not supported');
  }
  // RFC 8725 §3.11: other kinds of JWT (DPoP proofs, logout tokens) come from the same issuer and name themselves here.
  if (typ !== undefined && !isTokenType(typ)) {
    throw new AuthError('wrong_type', `typ is ${quote(typ)}, expected JWT or at+jwt`);
  }
  if (kid !== undefined && typeof kid !== 'string') {
    throw new AuthError('unknown_kid', `kid is ${quote(kid)} and not a text`);
  }
  return { alg, kid };
}

function parseHeader(token: string): Readonly<Record<string, unknown>> {
  try {
    return decodeProtectedHeader(token);
  } catch {
    throw new AuthError('malformed', 'the header is not a JSON object');
  }
}

/** `none` and the HMAC algorithms are refused even if a configuration could list them: a JWKS is public. */
function isAllowed(alg: string, allowed: readonly string[]): boolean {
  if (alg === 'none' || alg.startsWith('HS')) return false;
  // RFC 9864 §2.2: Ed25519 is the newer name of what EdDSA means here; jose knows no other curve for either.
  return allowed.includes(alg === 'Ed25519' ? 'EdDSA' : alg);
}

/** RFC 7515 §4.1.9: `application/` may be left out; media types ignore case. */
function isTokenType(typ: unknown): boolean {
  return typeof typ === 'string' && TOKEN_TYPES.has(typ.toLowerCase().replace(/^application\//, ''));
}

function refusal(error: unknown, header: TokenHeader, kids: ReadonlySet<string | undefined>): AuthError {
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return new AuthError('bad_signature', `the signature does not fit the key ${quote(header.kid)}`);
  }
  if (error instanceof errors.JWKSMultipleMatchingKeys) {
    return header.kid === undefined
      ? new AuthError('missing_kid', `the token has no kid, and the JWKS has several keys for ${header.alg}`)
      : new AuthError('unknown_kid', `the JWKS has several ${header.alg} keys with kid ${quote(header.kid)}`);
  }
  if (error instanceof errors.JWKSNoMatchingKey && header.kid !== undefined && !kids.has(header.kid)) {
    return new AuthError('unknown_kid', `the JWKS has no usable key with kid ${quote(header.kid)}`);
  }
  return new AuthError('alg_mismatch', `the JWKS key ${quote(header.kid)} cannot verify ${header.alg}`);
}
