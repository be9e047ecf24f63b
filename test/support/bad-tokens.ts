/** Tokens that a hub must refuse, each with the reason that its log gives. */
import { sign } from 'node:crypto';
import type { AuthFailureReason } from '../../hub/auth/errors.js';
import { goodClaims, hmacToken, jwkOf, rawSignature, segment, signToken } from './auth-tokens.js';
import type { AuthKey, AuthKeys } from './auth-tokens.js';
import { badClaims } from './bad-claims.js';
import type { Row } from './bad-claims.js';

export interface BadToken {
  readonly name: string;
  /** Can be sent as `Authorization: Bearer …` by an HTTP client: no line breaks, no NUL. */
  readonly token: string;
  readonly reason: AuthFailureReason;
  /** Larger than Node's limit for all headers: an HTTP server may answer 431 before any of our code sees it. */
  readonly http431?: true;
}

/**
 * The table, for a hub with the JWKS of `jwksText(keys)`, the issuer TEST_ISSUER, the audience TEST_AUDIENCE and otherwise
 * default `security`. Each differs from an accepted token in one thing only.
 *
 * @param nowMs wall clock of the hub under test
 */
export function badTokens(keys: AuthKeys, nowMs = Date.now()): BadToken[] {
  const table: Row[] = [
    ...algorithms(keys, nowMs),
    ...headers(keys, nowMs),
    ...keyIds(keys, nowMs),
    ...embeddedKeys(keys, nowMs),
    ...signatures(keys, nowMs),
    ...forms(keys, nowMs),
    ...badClaims(keys, nowMs),
  ];
  const tokens: BadToken[] = table.map(([name, reason, token]) => ({ name, reason, token }));
  const oversized = signToken(keys.ec, 'ES256', goodClaims({ padding: 'x'.repeat(16_384) }, nowMs));
  return [...tokens, { name: 'larger than 16 KiB', reason: 'too_large', token: oversized, http431: true }];
}

function algorithms(keys: AuthKeys, nowMs: number): Row[] {
  const good = goodClaims({}, nowMs);
  const jwk = jwkOf(keys.rsa);
  const spki = keys.rsa.publicKey.export({ type: 'spki', format: 'pem' });
  const pkcs1 = keys.rsa.publicKey.export({ type: 'pkcs1', format: 'pem' });
  const hmac = (secret: string | Buffer, alg = 'HS256', kid = 'rsa-1') => hmacToken(secret, alg, kid, good);
  const signed = (alg: unknown) => signToken(keys.rsa, 'RS256', good, { alg });
  const nones = ['none', 'None', 'NONE', 'nOnE'];
  return [
    ...nones.map((alg): Row => [`alg ${alg}, no signature`, 'malformed', unsigned(alg, good, '')]),
    ...nones.map((alg): Row => [
      `alg ${alg}, some signature`,
      'alg_not_allowed',
      unsigned(alg, good, 'AAAA'),
    ]),
    ['HS256 with the RSA public key as PEM (SPKI)', 'alg_not_allowed', hmac(spki)],
    ['HS256 with the RSA public key as PEM (PKCS 1)', 'alg_not_allowed', hmac(pkcs1)],
    ['HS256 with the RSA public key as JWK', 'alg_not_allowed', hmac(JSON.stringify(jwk))],
    ['HS256 with the RSA modulus', 'alg_not_allowed', hmac(Buffer.from(jwk.n ?? '', 'base64url'))],
    ['HS512 with the RSA public key as PEM', 'alg_not_allowed', hmac(spki, 'HS512')],
    ['HS256 with the empty secret', 'alg_not_allowed', hmac('')],
    ['HS256 with a symmetric key of the JWKS', 'alg_not_allowed', hmac(keys.octSecret, 'HS256', 'oct-1')],
    ['an algorithm that is not configured', 'alg_not_allowed', signToken(keys.rsa, 'RS512', good)],
    ...['', 'rs256', 'RS256 ', 'RS1', 'ES256K', 'dir', '__proto__', 'HS256', null, 256, ['RS256'], {}].map(
      (alg): Row => [`alg ${JSON.stringify(alg)}`, 'alg_not_allowed', signed(alg)],
    ),
    ['no alg', 'alg_not_allowed', signed(undefined)],
  ];
}

function unsigned(alg: string, claims: unknown, signature: string): string {
  return `${segment({ alg, kid: 'rsa-1' })}.${segment(claims)}.${signature}`;
}

function headers(keys: AuthKeys, nowMs: number): Row[] {
  const good = goodClaims({}, nowMs);
  const raw = (header: unknown) => `${segment(header)}.${segment(good)}.AAAA`;
  const signed = (header: Record<string, unknown>) => signToken(keys.rsa, 'RS256', good, header);
  return [
    ['a header that is not JSON', 'malformed', raw('{"alg":"RS256"')],
    ['a header that is an array', 'malformed', raw(['RS256'])],
    ['a header that is null', 'malformed', raw(null)],
    ['a header that is a text', 'malformed', raw('"RS256"')],
    ['a header that is not UTF-8', 'malformed', raw(Buffer.from('7b22fffe227d', 'hex'))],
    ['a critical parameter that nobody knows', 'unsupported_header', signed({ crit: ['acme'], acme: 1 })],
    ['a critical parameter that is a claim', 'unsupported_header', signed({ crit: ['exp'], exp: 1 })],
    ['an empty crit', 'unsupported_header', signed({ crit: [] })],
    ['a crit that is a text', 'unsupported_header', signed({ crit: 'b64' })],
    ['b64 false and critical', 'unsupported_header', signed({ crit: ['b64'], b64: false })],
    ['b64 false, not critical', 'unsupported_header', signed({ b64: false })],
    ...['dpop+jwt', 'logout+jwt', 'secevent+jwt', 'JOSE', '', 7, null].map((typ): Row => [
      `typ ${JSON.stringify(typ)}`,
      'wrong_type',
      signed({ typ }),
    ]),
  ];
}

function keyIds(keys: AuthKeys, nowMs: number): Row[] {
  const good = goodClaims({}, nowMs);
  const signed = (kid: unknown, key: AuthKey = keys.rsa) => signToken(key, 'RS256', good, { kid });
  const unknown = [
    'rsa-9',
    'RSA-1',
    '',
    '../../../../dev/null',
    '/etc/passwd',
    "rsa-1' OR '1'='1",
    'rsa-1\u0000',
    'http://127.0.0.1:1/jwks.json',
    '__proto__',
    'x'.repeat(8000),
    ['rsa-1'],
    { kid: 'rsa-1' },
    1,
    null,
  ];
  return [
    ['no kid where two keys fit', 'missing_kid', signed(undefined)],
    ...unknown.map((kid): Row => [`kid ${JSON.stringify(kid).slice(0, 40)}`, 'unknown_kid', signed(kid)]),
    ['the kid of an EC key', 'alg_mismatch', signed('ec-1')],
    ['the kid of an Ed25519 key', 'alg_mismatch', signed('ed-1')],
    ['PS256 with a key for RS256 only', 'alg_mismatch', signToken(keys.rsaOnlyRs256, 'PS256', good)],
    ['ES256 with the kid of an RSA key', 'alg_mismatch', signToken(keys.ec, 'ES256', good, { kid: 'rsa-1' })],
    ['the kid of another RSA key', 'bad_signature', signed('rsa-2')],
    ['an RSA key of 1024 bits', 'unknown_kid', signToken(keys.weak, 'RS256', good)],
    ['a key for encryption', 'unknown_kid', signToken(keys.encryption, 'RS256', good)],
    ['the kid of a symmetric key', 'unknown_kid', signed('oct-1')],
    ['a key that is not in the JWKS', 'unknown_kid', signToken(keys.stranger, 'RS256', good)],
    ['a foreign key under a known kid', 'bad_signature', signed('rsa-1', keys.stranger)],
  ];
}

function embeddedKeys(keys: AuthKeys, nowMs: number): Row[] {
  const good = goodClaims({}, nowMs);
  const forged = (header: Record<string, unknown>) => signToken(keys.stranger, 'RS256', good, header);
  const jwk = jwkOf(keys.stranger);
  const url = 'http://127.0.0.1:1/keys';
  const der = keys.stranger.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  return [
    ['its own key in jwk, a known kid', 'bad_signature', forged({ kid: 'rsa-1', jwk })],
    ['its own key in jwk, its own kid', 'unknown_kid', forged({ jwk })],
    [
      'its own EC key in jwk, no kid',
      'bad_signature',
      signToken(keys.strangerEc, 'ES256', good, { kid: undefined, jwk: jwkOf(keys.strangerEc) }),
    ],
    ['a jku of its own', 'bad_signature', forged({ kid: 'rsa-1', jku: url })],
    ['an x5u of its own', 'bad_signature', forged({ kid: 'rsa-1', x5u: url })],
    ['an x5c of its own', 'bad_signature', forged({ kid: 'rsa-1', x5c: [der] })],
    ['a jku of its own and its own kid', 'unknown_kid', forged({ jku: url })],
  ];
}

function signatures(keys: AuthKeys, nowMs: number): Row[] {
  const good = goodClaims({}, nowMs);
  const rs256 = signToken(keys.rsa, 'RS256', good);
  const es256 = signToken(keys.ec, 'ES256', good);
  const eddsa = signToken(keys.ed, 'EdDSA', good);
  const input = es256.slice(0, es256.lastIndexOf('.'));
  const der = sign('sha256', Buffer.from(input), keys.ec.privateKey);
  const admin = segment(goodClaims({ agent_id: 'site-b' }, nowMs));
  const [rsHeader = '', rsPayload = ''] = rs256.split('.');
  const psHeader = segment({ alg: 'PS256', kid: 'rsa-1' });
  const rsOverPs = rawSignature(keys.rsa.privateKey, 'RS256', `${psHeader}.${rsPayload}`);
  const row = (name: string, token: string): Row => [name, 'bad_signature', token];
  return [
    row(
      'a truncated signature',
      withSignature(rs256, (s) => s.subarray(0, 250)),
    ),
    row(
      'a signature of one byte',
      withSignature(rs256, () => Buffer.alloc(1)),
    ),
    row(
      'a signature with bytes after it',
      withSignature(rs256, (s) => Buffer.concat([s, Buffer.alloc(3)])),
    ),
    row('a signature with one bit changed', withSignature(rs256, flipBit)),
    row(
      'an RSA signature of zeros',
      withSignature(rs256, (s) => Buffer.alloc(s.length)),
    ),
    row(
      'an RSA signature of one',
      withSignature(rs256, (s) => Buffer.from([...Buffer.alloc(s.length - 1), 1])),
    ),
    row('other claims under the signature', rs256.replace(rsPayload, admin)),
    row('the signature of another token', `${rsHeader}.${admin}.${rs256.split('.')[2] ?? ''}`),
    row('PS256 in the header, RS256 in the signature', `${psHeader}.${rsPayload}.${segment(rsOverPs)}`),
    row('ES256 with a DER signature', `${input}.${segment(der)}`),
    row(
      'ES256 with r = s = 0',
      withSignature(es256, () => Buffer.alloc(64)),
    ),
    row(
      'ES256 with r = 0',
      withSignature(es256, (s) => Buffer.concat([Buffer.alloc(32), s.subarray(32)])),
    ),
    row(
      'ES256 with s = 0',
      withSignature(es256, (s) => Buffer.concat([s.subarray(0, 32), Buffer.alloc(32)])),
    ),
    row(
      'ES256 with r = s = n',
      withSignature(es256, () => Buffer.concat([P256_ORDER, P256_ORDER])),
    ),
    row(
      'ES256 cut in half',
      withSignature(es256, (s) => s.subarray(0, 32)),
    ),
    row(
      'EdDSA with a signature of zeros',
      withSignature(eddsa, () => Buffer.alloc(64)),
    ),
    row('EdDSA with one bit changed', withSignature(eddsa, flipBit)),
    row('EdDSA with S + L, the malleable twin', withSignature(eddsa, malleate)),
  ];
}

const P256_ORDER = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
const ED25519_ORDER = (1n << 252n) + 27742317777372353535851937790883648493n;

function withSignature(token: string, change: (signature: Buffer) => Buffer): string {
  const [header = '', payload = '', signature = ''] = token.split('.');
  return `${header}.${payload}.${change(Buffer.from(signature, 'base64url')).toString('base64url')}`;
}

function flipBit(signature: Buffer): Buffer {
  return Buffer.from(signature.map((byte, index) => (index === 7 ? byte ^ 0x10 : byte)));
}

/** RFC 8032 §5.1.7: S must be below the group order; without that check S + L is a second valid signature. */
function malleate(signature: Buffer): Buffer {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + ED25519_ORDER;
  const bytes = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
  return Buffer.concat([signature.subarray(0, 32), bytes]);
}

function forms(keys: AuthKeys, nowMs: number): Row[] {
  const good = signToken(keys.rsa, 'RS256', goodClaims({}, nowMs));
  const [header = '', payload = '', signature = ''] = good.split('.');
  const jwe = segment({ alg: 'RSA-OAEP', enc: 'A256GCM', kid: 'rsa-1' });
  const json = JSON.stringify({ protected: header, payload, signature });
  const texts: [string, string][] = [
    ['one segment', 'abc'],
    ['two segments', `${header}.${payload}`],
    ['four segments', `${good}.${signature}`],
    ['five segments (a JWE)', `${jwe}.AAAA.AAAA.AAAA.AAAA`],
    ['only dots', '..'],
    ['an empty header', `.${payload}.${signature}`],
    ['an empty payload', `${header}..${signature}`],
    ['an empty signature', `${header}.${payload}.`],
    ['a dot after it', `${good}.`],
    ['a dot before it', `.${good}`],
    ['a space inside', `${header}.${payload} .${signature}`],
    ['a tab inside', `${header}.\t${payload}.${signature}`],
    ['a plus sign', `${header}.${payload}.+${signature.slice(1)}`],
    ['a slash', `${header}.${payload}./${signature.slice(1)}`],
    ['padding', `${good}==`],
    ['percent-encoding', good.replaceAll('.', '%2E')],
    ['a letter beyond ASCII', `${header}.${payload}.\u00e9${signature.slice(1)}`],
    ['quotes around it', `"${good}"`],
    ['the word Bearer twice', `Bearer ${good}`],
    ['two tokens with a comma', `${good}, ${good}`],
    ['two tokens with a space', `${good} ${good}`],
    ['the JSON serialization', json],
    ['a signature that is not canonical base64url', `${good.slice(0, -1)}${otherSpelling(good.at(-1))}`],
    ['a signature of an impossible length', `${header}.${payload}.AAAAA`],
  ];
  return texts.map(([name, token]): Row => [name, 'malformed', token]);
}

/** 256 bytes leave four unused bits in the last character: with one of them set, the bytes are the same. */
function otherSpelling(last = 'A'): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return alphabet.charAt(alphabet.indexOf(last) ^ 1);
}
