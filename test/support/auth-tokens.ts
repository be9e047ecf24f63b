/** Keys and signed tokens for tests of the hub's authentication; made with node:crypto, so that jose is not tested against itself. */
import { constants, createHmac, generateKeyPairSync, sign } from 'node:crypto';
import type { JsonWebKey, KeyObject } from 'node:crypto';
import { TEST_AUDIENCE, TEST_ISSUER } from './jwt-keys.js';

const TEST_AGENT_ID = 'site-a';

export interface AuthKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** Further members of its JWK. */
  readonly jwk: JsonWebKey;
}

export interface AuthKeys {
  /** RSA, 2048 bits, for every RSA algorithm. */
  readonly rsa: AuthKey;
  /** A second RSA key, limited to RS256 by its JWK. */
  readonly rsaOnlyRs256: AuthKey;
  readonly ec: AuthKey;
  readonly ed: AuthKey;
  /** In the JWKS too, but must never count: 1024 bits; for encryption; symmetric. */
  readonly weak: AuthKey;
  readonly encryption: AuthKey;
  readonly octSecret: Buffer;
  /** Not in the JWKS. */
  readonly stranger: AuthKey;
  readonly strangerEc: AuthKey;
}

/** Fresh keys; takes about a second, so make them once in a `before`. */
export function createAuthKeys(): AuthKeys {
  return {
    rsa: rsaKey('rsa-1'),
    rsaOnlyRs256: rsaKey('rsa-2', 2048, { alg: 'RS256', use: 'sig' }),
    ec: ecKey('ec-1', 'P-256'),
    ed: authKey('ed-1', generateKeyPairSync('ed25519')),
    weak: rsaKey('weak-1', 1024),
    encryption: rsaKey('enc-1', 2048, { use: 'enc' }),
    octSecret: Buffer.from('a symmetric key in a public document'),
    stranger: rsaKey('stranger-1'),
    strangerEc: ecKey('stranger-ec', 'P-256'),
  };
}

export function rsaKey(kid: string, modulusLength = 2048, jwk: JsonWebKey = {}): AuthKey {
  return authKey(kid, generateKeyPairSync('rsa', { modulusLength }), jwk);
}

export function ecKey(kid: string, namedCurve: 'P-256' | 'P-384' | 'P-521'): AuthKey {
  return authKey(kid, generateKeyPairSync('ec', { namedCurve }));
}

function authKey(
  kid: string,
  pair: { privateKey: KeyObject; publicKey: KeyObject },
  jwk: JsonWebKey = {},
): AuthKey {
  return { kid, ...pair, jwk };
}

/** The public JWK of a key, with its kid. */
export function jwkOf(key: AuthKey): JsonWebKey {
  return { ...key.publicKey.export({ format: 'jwk' }), kid: key.kid, ...key.jwk };
}

/** The JWKS that a hub under test is given, as the text of its file. */
export function jwksText(keys: AuthKeys): string {
  const used = [keys.rsa, keys.rsaOnlyRs256, keys.ec, keys.ed, keys.weak, keys.encryption];
  const oct = { kty: 'oct', kid: 'oct-1', k: keys.octSecret.toString('base64url') };
  return JSON.stringify({ keys: [...used.map(jwkOf), oct] });
}

/** Claims that are accepted; `undefined` in `changes` takes one away. */
export function goodClaims(
  changes: Record<string, unknown> = {},
  nowMs = Date.now(),
): Record<string, unknown> {
  const now = Math.floor(nowMs / 1000);
  return {
    iss: TEST_ISSUER,
    aud: TEST_AUDIENCE,
    iat: now,
    exp: now + 3600,
    agent_id: TEST_AGENT_ID,
    connectors: ['ldap', 'db'],
    jti: 'token-1',
    ...changes,
  };
}

/** Base64url of a text, of bytes, or of the JSON of anything else. */
export function segment(value: unknown): string {
  const bytes =
    value instanceof Uint8Array ? value : typeof value === 'string' ? value : JSON.stringify(value);
  return Buffer.from(bytes).toString('base64url');
}

/**
 * A compact JWS.
 *
 * @param alg decides how it is signed; the header's `alg` is the same unless `header` has another
 * @param payload an object, or the raw text or bytes of the payload
 */
export function signToken(
  key: AuthKey,
  alg: string,
  payload: unknown,
  header: Record<string, unknown> = {},
): string {
  const input = `${segment({ alg, kid: key.kid, ...header })}.${segment(payload)}`;
  return `${input}.${rawSignature(key.privateKey, alg, input).toString('base64url')}`;
}

/** The signature of `input` in the form that JWS wants (RFC 7518 §3.3–3.5, RFC 8037 §3.1). */
export function rawSignature(key: KeyObject, alg: string, input: string): Buffer {
  const data = Buffer.from(input);
  const bits = alg.slice(2);
  if (alg.startsWith('RS')) return sign(`sha${bits}`, data, key);
  if (alg.startsWith('PS')) {
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    return sign(`sha${bits}`, data, { key, padding, saltLength: Number(bits) / 8 });
  }
  if (alg.startsWith('ES')) return sign(`sha${bits}`, data, { key, dsaEncoding: 'ieee-p1363' });
  return sign(null, data, key);
}

/** A token "signed" by HMAC with a secret that an attacker may know. */
export function hmacToken(secret: string | Buffer, alg: string, kid: string, claims: unknown): string {
  const input = `${segment({ alg, kid })}.${segment(claims)}`;
  return `${input}.${createHmac(`sha${alg.slice(2)}`, secret)
    .update(input)
    .digest('base64url')}`;
}
