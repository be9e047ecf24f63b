import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import { MAX_JWKS_KEYS, readJwks } from '../../../hub/auth/jwks-document.js';
import { ecKey, jwkOf, rsaKey } from '../../support/auth-tokens.js';

const ec = jwkOf(ecKey('ec-1', 'P-256'));
const rsa = jwkOf(rsaKey('rsa-1'));

function read(...keys: unknown[]) {
  return readJwks(JSON.stringify({ keys }));
}

describe('JWKS document', () => {
  it('keeps the keys that can verify, with no more members than that needs', () => {
    const { jwks, problems } = read({ ...ec, x5c: ['AAAA'], x5u: 'http://x', use: 'sig', ext: true }, rsa);
    expect(jwks).to.deep.equal([{ ...ec, use: 'sig' }, rsa]);
    expect(problems).to.deep.equal([]);
  });

  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const secp256k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey;
  const x25519 = generateKeyPairSync('x25519').publicKey;
  const leftOut: [string, object, RegExp][] = [
    ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0' }, /symmetric/],
    ['a private key', privateKey.export({ format: 'jwk' }), /private key/],
    ['an RSA key of 1024 bits', jwkOf(rsaKey('weak', 1024)), /1024 bits/],
    ['an RSA key with exponent 1', { ...rsa, e: 'AQ' }, /exponent|not a valid key/],
    ['a curve that no algorithm uses', secp256k1.export({ format: 'jwk' }), /secp256k1/],
    ['a key for key agreement', x25519.export({ format: 'jwk' }), /X25519/],
    ['a point that is not on the curve', { ...ec, x: 'A'.repeat(43) }, /not a valid key/],
    ['an Ed25519 curve with another key type', { ...ec, crv: 'Ed25519' }, /not a valid key/],
    ['a key without numbers', { kty: 'RSA' }, /not a valid key/],
    ['a key without a type', {}, /absent/],
    ['a kid that is not a text', { ...ec, kid: 7 }, /kid is not a text/],
  ];
  for (const [name, key, why] of leftOut) {
    it(`leaves out ${name}, says why, and keeps the others`, () => {
      const { jwks, problems } = read(key, ec);
      expect(jwks).to.deep.equal([ec]);
      expect(problems).to.have.lengthOf(1);
      expect(problems[0])
        .to.match(/^key 1 \(kid .*\) is not used: /)
        .and.match(why);
    });
  }

  it('leaves out a key for encryption without a word', () => {
    expect(read({ ...rsa, use: 'enc' }, ec)).to.deep.equal({ jwks: [ec], problems: [] });
  });

  it('never repeats key material in a problem', () => {
    const jwk = privateKey.export({ format: 'jwk' });
    const { problems } = read(jwk, { kty: 'oct', k: 'c2VjcmV0LXNlY3JldA' });
    for (const secret of [jwk.d ?? '', jwk.x ?? '', 'c2VjcmV0LXNlY3JldA']) {
      expect(problems.join()).to.not.include(secret);
    }
  });

  it('says that a set without a usable key refuses everyone', () => {
    expect(read()).to.deep.equal({
      jwks: [],
      problems: ['it has no usable signature key: every token is refused'],
    });
  });

  const broken: [string, string][] = [
    ['no JSON', '{'],
    ['nothing', ''],
    ['an array', '[]'],
    ['null', 'null'],
    ['no keys member', '{}'],
    ['keys that are no array', '{"keys":{}}'],
    ['a key that is no object', '{"keys":["abc"]}'],
    ['a key that is an array', '{"keys":[[]]}'],
    ['more keys than the bound', JSON.stringify({ keys: Array(MAX_JWKS_KEYS + 1).fill(ec) })],
  ];
  for (const [name, text] of broken) {
    it(`refuses a document with ${name}`, () => {
      expect(() => readJwks(text)).to.throw(/^it (is not|has more)/);
    });
  }
});
