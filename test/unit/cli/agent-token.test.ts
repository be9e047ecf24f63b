import { createPublicKey, generateKeyPairSync, verify as verifySignature } from 'node:crypto';
import { expect } from 'chai';
import { issueToken, readAgentId, readConnectors } from '../../../cli/keys/agent-token.js';
import { generateSigningKey, importSigningKey, toJwks } from '../../../cli/keys/signing-key.js';
import { readTtl } from '../../../cli/keys/ttl.js';
import { jwtPayload as payload } from './fake-io.js';

describe('what a token may name', () => {
  for (const id of ['', 'two words', 'x'.repeat(129), 'tab\there', 'ü']) {
    it(`refuses the agent id ${JSON.stringify(id.slice(0, 12))}`, () => {
      expect(() => readAgentId(id)).to.throw('--agent-id must be 1 to 128 printable ASCII characters');
    });
  }

  for (const list of ['', 'a,', 'a b', 'a,ü', 'x'.repeat(65)]) {
    it(`refuses the connectors ${JSON.stringify(list.slice(0, 12))}`, () => {
      expect(() => readConnectors(list)).to.throw('is no connector name');
    });
  }

  it('refuses more connectors than a token may name', () => {
    const names = Array.from({ length: 1025 }, (_, i) => `c${i}`).join();
    expect(() => readConnectors(names)).to.throw('at most 1024');
  });
});

describe('readTtl', () => {
  const good: [string, number][] = [
    ['1s', 1],
    ['45s', 45],
    ['15m', 900],
    ['12h', 43_200],
    ['30d', 2_592_000],
    ['366d', 31_622_400],
  ];
  for (const [text, seconds] of good) {
    it(`reads ${text}`, () => {
      expect(readTtl(text)).to.equal(seconds);
    });
  }
  for (const text of [
    '',
    '30',
    'd',
    '0s',
    '-1d',
    '1.5h',
    '367d',
    '1w',
    '1D',
    ' 1d',
    '1d ',
    '9999999999s',
    '1e3s',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => readTtl(text)).to.throw(
        `--ttl must be like 30d, 12h, 15m or 45s and at most 366d, not "${text}"`,
      );
    });
  }
});

describe('issueToken', () => {
  it('signs what it says, at the time it is given', () => {
    const key = generateSigningKey('ES256');
    const request = { agentId: 'a', connectors: ['x'], ttlSeconds: 60, audience: 'aud', issuer: 'iss' };
    const { token, expiresAt } = issueToken(key, request, 1_700_000_000_999, 'id-1');
    expect(payload(token)).to.deep.equal({
      iss: 'iss',
      aud: 'aud',
      sub: 'a',
      agent_id: 'a',
      connectors: ['x'],
      iat: 1_700_000_000,
      nbf: 1_700_000_000,
      exp: 1_700_000_060,
      jti: 'id-1',
    });
    expect(expiresAt.getTime()).to.equal(1_700_000_060_000);
    const [header = '', body = '', signature = ''] = token.split('.');
    const publicKey = createPublicKey({ key: toJwks(key).keys[0]!, format: 'jwk' });
    const check = (text: string): boolean =>
      verifySignature(
        'sha256',
        Buffer.from(text),
        { key: publicKey, dsaEncoding: 'ieee-p1363' },
        Buffer.from(signature, 'base64url'),
      );
    expect(check(`${header}.${body}`)).to.equal(true);
    expect(check(`${header}.${body}x`)).to.equal(false);
  });

  it('gives every token an id of its own', () => {
    const key = generateSigningKey('EdDSA');
    const request = { agentId: 'a', connectors: undefined, ttlSeconds: 60, audience: 'aud', issuer: 'iss' };
    const ids = [1, 2].map(() => payload(issueToken(key, request).token)['jti']);
    expect(ids[0]).to.not.equal(ids[1]);
  });
});

describe('importSigningKey', () => {
  it('refuses a public key', () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
    expect(() => importSigningKey(pem)).to.throw('not an unencrypted private key in PEM');
  });
});
