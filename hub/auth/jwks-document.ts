import { createPublicKey } from 'node:crypto';
import type { JsonWebKey, KeyObject } from 'node:crypto';
import { quote } from './errors.js';

/** Most keys in one JWKS. */
export const MAX_JWKS_KEYS = 256;
/** RFC 7518 §3.3: at least 2048 bits. */
const MIN_RSA_BITS = 2048;

const PUBLIC_MEMBERS = ['kty', 'crv', 'n', 'e', 'x', 'y', 'kid', 'alg', 'use', 'key_ops'] as const;
const CURVES = new Set(['P-256', 'P-384', 'P-521', 'Ed25519']);

/** A public signature key; only members that are needed to choose and import it. */
export type PublicJwk = JsonWebKey & { readonly kid?: string };

/**
 * Reads a JWKS (RFC 7517 §5) and keeps the keys that may verify a token: RSA of at least 2048 bits, EC on a NIST curve,
 * Ed25519. A key that is not one of those does no harm to the others: it is left out, and `problems` says why. Keys for
 * encryption are left out silently.
 *
 * @throws Error when the text is not a JWKS, or has more than {@link MAX_JWKS_KEYS} keys
 */
export function readJwks(json: string): { jwks: PublicJwk[]; problems: string[] } {
  const entries = parseEntries(json);
  const jwks: PublicJwk[] = [];
  const problems: string[] = [];
  entries.forEach((entry, index) => {
    const problem = keyProblem(entry);
    if (problem === undefined) jwks.push(publicPart(entry));
    else if (problem !== '')
      problems.push(`key ${index + 1} (kid ${quote(entry['kid'])}) is not used: ${problem}`);
  });
  if (jwks.length === 0) problems.push('it has no usable signature key: every token is refused');
  return { jwks, problems };
}

type Entry = Readonly<Record<string, unknown>>;

function parseEntries(json: string): Entry[] {
  let document: unknown;
  try {
    document = JSON.parse(json);
  } catch {
    throw new Error('it is not JSON');
  }
  const entries = isObject(document) ? document['keys'] : undefined;
  if (!Array.isArray(entries) || !entries.every(isObject)) {
    throw new Error('it is not a JWKS: {"keys": [ … ]} with a JSON object for each key');
  }
  if (entries.length > MAX_JWKS_KEYS) throw new Error(`it has more than ${MAX_JWKS_KEYS} keys`);
  return entries;
}

function isObject(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @returns why the key is not used, '' when that needs no words, undefined when it is used. */
function keyProblem(jwk: Entry): string | undefined {
  if (jwk['use'] === 'enc') return '';
  if (jwk['kid'] !== undefined && typeof jwk['kid'] !== 'string') return 'its kid is not a text';
  // A JWKS is public, so a symmetric key in it would let every reader sign.
  if (jwk['kty'] === 'oct') return 'symmetric keys are refused';
  if (jwk['d'] !== undefined) return 'it is a private key; replace it, it must count as stolen';
  if (jwk['kty'] !== 'RSA' && !(typeof jwk['crv'] === 'string' && CURVES.has(jwk['crv']))) {
    return `key type ${quote(jwk['kty'])} with curve ${quote(jwk['crv'])} is not supported`;
  }
  let key: KeyObject;
  try {
    key = createPublicKey({ key: publicPart(jwk), format: 'jwk' });
  } catch {
    return 'its numbers are not a valid key';
  }
  return rsaProblem(key);
}

function rsaProblem(key: KeyObject): string | undefined {
  const { modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {};
  if (modulusLength === undefined) return undefined;
  if (modulusLength < MIN_RSA_BITS)
    return `RSA with ${modulusLength} bits, at least ${MIN_RSA_BITS} are needed`;
  // With exponent 1 every number is its own signature.
  return publicExponent !== undefined && publicExponent < 3n ? 'its RSA exponent is below 3' : undefined;
}

function publicPart(jwk: Entry): PublicJwk {
  return Object.fromEntries(
    PUBLIC_MEMBERS.filter((name) => jwk[name] !== undefined).map((name) => [name, jwk[name]]),
  );
}
