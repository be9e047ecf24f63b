import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';

export const KEY_ALGORITHMS = ['ES256', 'RS256', 'EdDSA'] as const;
export type KeyAlgorithm = (typeof KEY_ALGORITHMS)[number];

/** A private key, what it signs with, and the id that tokens and jwks.json name it by. */
export interface SigningKey {
  readonly algorithm: KeyAlgorithm;
  /** RFC 7638 thumbprint. */
  readonly keyId: string;
  readonly privateKey: KeyObject;
}

const RSA_BITS = 3072;
const MIN_RSA_BITS = 2048;
/** The members that RFC 7638 §3.2 (RFC 8037 §2 for OKP) hashes, in their order. */
const THUMBPRINT_MEMBERS: Readonly<Record<KeyAlgorithm, readonly string[]>> = {
  ES256: ['crv', 'kty', 'x', 'y'],
  RS256: ['e', 'kty', 'n'],
  EdDSA: ['crv', 'kty', 'x'],
};

/** Makes a new key: P-256, RSA with 3,072 bits or Ed25519. */
export function generateSigningKey(algorithm: KeyAlgorithm): SigningKey {
  return describe(generate(algorithm), algorithm);
}

function generate(algorithm: KeyAlgorithm): KeyObject {
  switch (algorithm) {
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    case 'RS256':
      return generateKeyPairSync('rsa', { modulusLength: RSA_BITS }).privateKey;
    case 'EdDSA':
      return generateKeyPairSync('ed25519').privateKey;
  }
}

/** PKCS #8 in PEM, unencrypted: the file's mode protects it. */
export function exportSigningKey(key: SigningKey): string {
  return key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

/**
 * Reads what {@link exportSigningKey} wrote.
 * @throws Error that says what is wrong, and nothing about the key
 */
export function importSigningKey(pem: string): SigningKey {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(pem);
  } catch {
    throw new Error('not an unencrypted private key in PEM');
  }
  return describe(privateKey, algorithmOf(privateKey));
}

function algorithmOf(key: KeyObject): KeyAlgorithm {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') return 'ES256';
  if (key.asymmetricKeyType === 'rsa' && modulusLength >= MIN_RSA_BITS) return 'RS256';
  if (key.asymmetricKeyType === 'ed25519') return 'EdDSA';
  throw new Error('not a P-256, RSA (2,048 bits or more) or Ed25519 key');
}

function describe(privateKey: KeyObject, algorithm: KeyAlgorithm): SigningKey {
  return { algorithm, keyId: thumbprint(publicJwk(privateKey), algorithm), privateKey };
}

function publicJwk(privateKey: KeyObject): JsonWebKey {
  return createPublicKey(privateKey).export({ format: 'jwk' });
}

function thumbprint(jwk: JsonWebKey, algorithm: KeyAlgorithm): string {
  const members = Object.fromEntries(THUMBPRINT_MEMBERS[algorithm].map((name) => [name, jwk[name]]));
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}

/** The public half as a JWK Set (RFC 7517 §5), for the hub's `security.jwks_file`. */
export function toJwks(key: SigningKey): { readonly keys: readonly JsonWebKey[] } {
  return { keys: [{ ...publicJwk(key.privateKey), kid: key.keyId, alg: key.algorithm, use: 'sig' }] };
}

/** A compact JWS (RFC 7515 §3.1) over the claims, with `typ: JWT` and the key's id. */
export function signJwt(key: SigningKey, claims: Readonly<Record<string, unknown>>): string {
  const header = { alg: key.algorithm, typ: 'JWT', kid: key.keyId };
  const signed = `${base64urlJson(header)}.${base64urlJson(claims)}`;
  return `${signed}.${signature(key, Buffer.from(signed)).toString('base64url')}`;
}

function base64urlJson(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function signature({ algorithm, privateKey }: SigningKey, bytes: Buffer): Buffer {
  switch (algorithm) {
    case 'ES256':
      // RFC 7518 §3.4: the two numbers one after the other, not DER.
      return sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' });
    case 'RS256':
      return sign('sha256', bytes, privateKey);
    case 'EdDSA':
      return sign(null, bytes, privateKey);
  }
}
