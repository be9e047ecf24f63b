import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import Provider from 'oidc-provider';
import { allowedConnectors } from '../../../hub/auth/connectors.js';
import { AuthError } from '../../../hub/auth/errors.js';
import { createTokenVerifier } from '../../../hub/auth/verify.js';
import type { TokenVerifier } from '../../../hub/auth/verify.js';
import { ecKey, rsaKey, segment } from '../../support/auth-tokens.js';
import type { AuthKey } from '../../support/auth-tokens.js';
import { securityConfig } from '../../unit/hub-auth/fixtures.js';

const AUDIENCE = 'urn:nowconnect:hub';
const CLIENT = { id: 'site-a', secret: 'not a secret outside this test' };

/** Private JWKs, as an identity provider keeps them. */
const privateJwk = (key: AuthKey, alg: string) => ({
  ...key.privateKey.export({ format: 'jwk' }),
  kid: key.kid,
  alg,
  use: 'sig',
});

/** A real OpenID provider on a free loopback port: client credentials give JWT access tokens (RFC 9068, RFC 8707). */
async function startProvider(): Promise<{ issuer: string; server: http.Server; paths: string[] }> {
  const server = http.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, {
    jwks: { keys: [privateJwk(rsaKey('idp-rsa'), 'RS256'), privateJwk(ecKey('idp-ec', 'P-256'), 'ES256')] },
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
    clientAuthMethods: ['client_secret_post'],
    extraTokenClaims: () => ({ agent_id: CLIENT.id, connectors: ['ldap', 'db'] }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context: unknown, resource: string) => ({
          scope: 'tunnel',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 300,
          jwt: { sign: { alg: resource.endsWith(':ec') ? 'ES256' : 'RS256' } },
        }),
      },
    },
  });
  const paths: string[] = [];
  const answer = provider.callback();
  server.on('request', (request, response) => {
    paths.push(request.url ?? '');
    answer(request, response);
  });
  return { issuer, server, paths };
}

async function json(url: string, body?: URLSearchParams): Promise<Record<string, unknown>> {
  const response = await fetch(url, body === undefined ? {} : { method: 'POST', body });
  const text = await response.text();
  expect(response.status, text).to.equal(200);
  return JSON.parse(text) as Record<string, unknown>;
}

describe('a token of a real OpenID provider', function () {
  this.timeout(30_000);
  let server: http.Server;
  let issuer: string;
  let paths: string[];
  let jwksUri: string;
  let tokenEndpoint: string;
  const verifiers: TokenVerifier[] = [];

  before(async () => {
    ({ issuer, server, paths } = await startProvider());
    const metadata = await json(`${issuer}/.well-known/openid-configuration`);
    jwksUri = String(metadata['jwks_uri']);
    tokenEndpoint = String(metadata['token_endpoint']);
  });

  after(() => {
    for (const verifier of verifiers) verifier.close();
    server.closeAllConnections();
    server.close();
  });

  async function issueToken(resource = AUDIENCE): Promise<string> {
    const answer = await json(
      tokenEndpoint,
      new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        resource,
      }),
    );
    return String(answer['access_token']);
  }

  function hub(changes = {}): TokenVerifier {
    const security = securityConfig({ jwksUrl: jwksUri, issuer, audience: AUDIENCE, ...changes });
    const verifier = createTokenVerifier(security, { onJwksFetch: () => undefined });
    verifiers.push(verifier);
    return verifier;
  }

  async function reasonOf(verifier: TokenVerifier, token: string): Promise<string> {
    const outcome: unknown = await verifier.verify(token).catch((error: unknown) => error);
    expect(outcome).to.be.instanceOf(AuthError);
    return (outcome as AuthError).reason;
  }

  it("is accepted through the provider's own jwks_uri", async () => {
    const before = paths.length;
    const identity = await hub().verify(await issueToken());
    expect(identity.agentId).to.equal('site-a');
    expect(identity.connectors).to.deep.equal(['ldap', 'db']);
    expect(identity.tokenId).to.be.a('string');
    expect(identity.expiresAtMs - Date.now()).to.be.within(300_000, 331_000);
    expect(allowedConnectors(identity, true, ['ssh', 'db'])).to.deep.equal(['db']);
    expect(paths.slice(before)).to.include(new URL(jwksUri).pathname);
  });

  it('is accepted with an EC key too, when its resource is the audience', async () => {
    const audience = `${AUDIENCE}:ec`;
    const token = await issueToken(audience);
    expect(JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())).to.deep.include({
      alg: 'ES256',
      kid: 'idp-ec',
      typ: 'at+jwt',
    });
    expect((await hub({ audience }).verify(token)).agentId).to.equal('site-a');
  });

  it('is refused with other claims or another signature', async () => {
    const token = await issueToken();
    const [header = '', payload = '', signature = ''] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    const verifier = hub();
    const promoted = `${header}.${segment({ ...claims, agent_id: 'site-b' })}.${signature}`;
    const prolonged = `${header}.${segment({ ...claims, exp: Number(claims['exp']) + 9999 })}.${signature}`;
    const flipped = Buffer.from(signature, 'base64url').map((byte, index) => (index === 9 ? byte ^ 1 : byte));
    expect(await reasonOf(verifier, promoted)).to.equal('bad_signature');
    expect(await reasonOf(verifier, prolonged)).to.equal('bad_signature');
    expect(await reasonOf(verifier, `${header}.${payload}.${segment(flipped)}`)).to.equal('bad_signature');
    const unsigned = `${segment({ alg: 'none' })}.${payload}.${signature}`;
    expect(await reasonOf(verifier, unsigned)).to.equal('alg_not_allowed');
    expect((await verifier.verify(token)).agentId).to.equal('site-a');
  });

  it('is refused when it was issued for another resource, or by another issuer', async () => {
    expect(await reasonOf(hub(), await issueToken('urn:other:api'))).to.equal('wrong_audience');
    expect(await reasonOf(hub({ issuer: `${issuer}/` }), await issueToken())).to.equal('wrong_issuer');
  });

  it('is refused after its end', async () => {
    const security = securityConfig({ jwksUrl: jwksUri, issuer, audience: AUDIENCE });
    const token = await issueToken();
    const later = Date.now() + 331_000;
    const verifier = createTokenVerifier(security, { onJwksFetch: () => undefined, now: () => later });
    verifiers.push(verifier);
    expect(await reasonOf(verifier, token)).to.equal('expired');
  });
});
