import http from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { JwtAlgorithm } from '../../../config/types.js';
import { bearerToken } from '../../../hub/auth/bearer.js';
import { AUTH_FAILURE_REASONS, AuthError } from '../../../hub/auth/errors.js';
import { createTokenVerifier } from '../../../hub/auth/verify.js';
import type { TokenVerifier } from '../../../hub/auth/verify.js';
import {
  createAuthKeys,
  ecKey,
  goodClaims,
  jwkOf,
  jwksText,
  rsaKey,
  signToken,
} from '../../support/auth-tokens.js';
import type { AuthKey, AuthKeys } from '../../support/auth-tokens.js';
import { badTokens } from '../../support/bad-tokens.js';
import type { BadToken } from '../../support/bad-tokens.js';
import { refusalOf, createReports, securityConfig, textFile } from './fixtures.js';

const NOW_MS = 1_800_000_000_000;

describe('token verifier', () => {
  let keys: AuthKeys;
  let verifier: TokenVerifier;
  let table: BadToken[];

  function verifierFor(jwks: string, changes = {}): TokenVerifier {
    const security = securityConfig({ jwksFile: textFile(jwks), ...changes });
    return createTokenVerifier(security, { ...createReports(), now: () => NOW_MS });
  }

  before(function () {
    this.timeout(30_000);
    keys = createAuthKeys();
    verifier = verifierFor(jwksText(keys));
    table = badTokens(keys, NOW_MS);
  });

  after(() => verifier.close());

  describe('accepts', () => {
    const good: [string, (keys: AuthKeys) => string][] = [
      ['RS256', ({ rsa }) => signToken(rsa, 'RS256', goodClaims({}, NOW_MS))],
      ['PS256 with the same key', ({ rsa }) => signToken(rsa, 'PS256', goodClaims({}, NOW_MS))],
      ['RS256 with a key for RS256 only', (k) => signToken(k.rsaOnlyRs256, 'RS256', goodClaims({}, NOW_MS))],
      ['ES256', ({ ec }) => signToken(ec, 'ES256', goodClaims({}, NOW_MS))],
      ['EdDSA', ({ ed }) => signToken(ed, 'EdDSA', goodClaims({}, NOW_MS))],
      ['Ed25519, the newer name of EdDSA', ({ ed }) => signToken(ed, 'Ed25519', goodClaims({}, NOW_MS))],
      [
        'no kid where one key fits',
        ({ ec }) => signToken(ec, 'ES256', goodClaims({}, NOW_MS), { kid: undefined }),
      ],
      [
        'b64 true, which changes nothing',
        ({ ec }) => signToken(ec, 'ES256', goodClaims({}, NOW_MS), { b64: true }),
      ],
      ...['JWT', 'jwt', 'at+jwt', 'application/at+jwt', 'application/JWT'].map(
        (typ): [string, (keys: AuthKeys) => string] => [
          `typ ${typ}`,
          ({ ec }) => signToken(ec, 'ES256', goodClaims({}, NOW_MS), { typ }),
        ],
      ),
    ];
    for (const [name, token] of good) {
      it(name, async () => {
        const identity = await verifier.verify(token(keys));
        expect(identity).to.deep.equal({
          agentId: 'site-a',
          connectors: ['ldap', 'db'],
          expiresAtMs: NOW_MS + 3_630_000,
          tokenId: 'token-1',
        });
      });
    }

    it('every algorithm that can be configured, and none that is not', async function () {
      this.timeout(30_000);
      const rsa = rsaKey('rsa');
      const signers: Record<JwtAlgorithm, AuthKey> = {
        ...{ RS256: rsa, RS384: rsa, RS512: rsa, PS256: rsa, PS384: rsa, PS512: rsa },
        ...{ ES256: ecKey('p256', 'P-256'), ES384: ecKey('p384', 'P-384'), ES512: ecKey('p521', 'P-521') },
        EdDSA: keys.ed,
      };
      const jwks = JSON.stringify({ keys: [...new Set(Object.values(signers))].map(jwkOf) });
      const algorithms = Object.keys(signers) as JwtAlgorithm[];
      for (const [alg, key] of Object.entries(signers)) {
        const token = signToken(key, alg, goodClaims({}, NOW_MS));
        const only = verifierFor(jwks, { algorithms: [alg] });
        const others = verifierFor(jwks, { algorithms: algorithms.filter((other) => other !== alg) });
        expect((await only.verify(token)).agentId, alg).to.equal('site-a');
        expect((await refusalOf(others.verify(token))).reason, alg).to.equal('alg_not_allowed');
      }
    });
  });

  describe('refuses', () => {
    it('each of at least 50 bad tokens for its own reason, at the header and in band', async () => {
      expect(table.length).to.be.at.least(50);
      expect(new Set(table.map(({ name }) => name)).size).to.equal(table.length);
      const wrong: string[] = [];
      for (const { name, token, reason } of table) {
        const viaHeader = () => verifier.verify(bearerToken({ authorization: `Bearer ${token}` }));
        for (const attempt of [viaHeader, () => verifier.verify(token)]) {
          const outcome = await Promise.resolve()
            .then(attempt)
            .then(
              () => 'accepted',
              (error: unknown) => (error instanceof AuthError ? error.reason : String(error)),
            );
          if (outcome !== reason) wrong.push(`${name}: ${outcome} instead of ${reason}`);
        }
      }
      expect(wrong).to.deep.equal([]);
    });

    it('without a word of the token in the message', async () => {
      for (const { name, token } of table) {
        const { message } = await refusalOf(Promise.resolve().then(() => verifier.verify(token)));
        for (const part of token.split(/[. ,]/)) {
          if (part.length > 16) expect(message, name).to.not.include(part);
        }
        expect(message, name).to.match(/^[\x20-\x7e…]{1,400}$/);
      }
    });

    it('an HMAC token and an unsigned one even when the configuration lists their algorithms', async () => {
      const algorithms = ['none', 'HS256', 'HS512', 'RS256'] as JwtAlgorithm[];
      const careless = verifierFor(jwksText(keys), { algorithms });
      const tokens = table.filter(({ name }) => /^(alg none, some|HS\d+ with)/.test(name));
      expect(tokens).to.have.lengthOf(8);
      for (const { name, token } of tokens) {
        expect((await refusalOf(careless.verify(token))).reason, name).to.equal('alg_not_allowed');
      }
    });

    it('a kid that two keys share', async () => {
      const twins = JSON.stringify({ keys: [jwkOf(keys.rsa), jwkOf({ ...keys.stranger, kid: 'rsa-1' })] });
      const { reason, message } = await refusalOf(
        verifierFor(twins).verify(signToken(keys.rsa, 'RS256', goodClaims({}, NOW_MS))),
      );
      expect(reason).to.equal('unknown_kid');
      expect(message).to.include('several');
    });

    it('a key whose JWK does not let it verify', async () => {
      for (const key_ops of [['sign'], 'verify', [], ['verify', 'wrapKey']]) {
        const jwks = JSON.stringify({ keys: [{ ...jwkOf(keys.rsa), key_ops }] });
        const token = signToken(keys.rsa, 'RS256', goodClaims({}, NOW_MS));
        const { reason } = await refusalOf(verifierFor(jwks).verify(token));
        expect(reason, JSON.stringify(key_ops)).to.equal('alg_mismatch');
      }
    });

    it('everything while there are no keys, and after close', async () => {
      const token = signToken(keys.ec, 'ES256', goodClaims({}, NOW_MS));
      expect((await refusalOf(verifierFor('{').verify(token))).reason).to.equal('jwks_unavailable');
      const closed = verifierFor(jwksText(keys));
      expect((await closed.verify(token)).agentId).to.equal('site-a');
      closed.close();
      closed.close();
      expect((await refusalOf(closed.verify(token))).reason).to.equal('jwks_unavailable');
    });
  });

  it('never fetches what a header points to', async () => {
    const requests: (string | undefined)[] = [];
    const server = http.createServer((request, response) => {
      requests.push(request.url);
      response.end(jwksText(keys));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const header = { jku: `${url}/jku`, x5u: `${url}/x5u`, jwk: jwkOf(keys.stranger), x5t: 'AAAA' };
    const hinted = signToken(keys.rsa, 'RS256', goodClaims({}, NOW_MS), header);
    expect((await verifier.verify(hinted)).agentId).to.equal('site-a');
    const forged = signToken(keys.stranger, 'RS256', goodClaims({}, NOW_MS), { ...header, kid: 'rsa-1' });
    expect((await refusalOf(verifier.verify(forged))).reason).to.equal('bad_signature');
    const control = await fetch(`${url}/control`);
    await control.text();
    server.close();
    expect(requests).to.deep.equal(['/control']);
  });

  it('uses the clock of the machine when it is given none', async () => {
    const jwksFile = textFile(jwksText(keys));
    const real = createTokenVerifier(securityConfig({ jwksFile }), createReports());
    expect((await real.verify(signToken(keys.ec, 'ES256', goodClaims()))).agentId).to.equal('site-a');
    const old = signToken(keys.ec, 'ES256', goodClaims({}, Date.now() - 86_400_000));
    expect((await refusalOf(real.verify(old))).reason).to.equal('expired');
  });

  it('reports a missing key file at start, without failing', async () => {
    const reports = createReports();
    const security = securityConfig({ jwksFile: '/nonexistent/jwks.json' });
    await createTokenVerifier(security, reports).preload();
    expect(reports.fetches).to.deep.equal(['error']);
    expect(reports.problems).to.deep.equal([
      'security.jwks_file /nonexistent/jwks.json: it cannot be read (ENOENT); every token is refused',
    ]);
    const good = createReports();
    await createTokenVerifier(securityConfig({ jwksFile: textFile(jwksText(keys)) }), good).preload();
    expect(good.fetches).to.deep.equal(['ok']);
  });

  it('cannot be made without a key source', () => {
    expect(() => createTokenVerifier(securityConfig(), createReports())).to.throw(/jwks_url or .*jwks_file/);
  });

  it('has a fixed list of reasons fit for metric labels, each once', () => {
    expect(new Set(AUTH_FAILURE_REASONS).size).to.equal(AUTH_FAILURE_REASONS.length);
    for (const reason of AUTH_FAILURE_REASONS) expect(reason).to.match(/^[a-z_]+$/);
    const exercised = new Set([...table.map(({ reason }) => reason), 'missing_token', 'jwks_unavailable']);
    expect(AUTH_FAILURE_REASONS.filter((reason) => !exercised.has(reason))).to.deep.equal(['hello_mismatch']);
  });
});
