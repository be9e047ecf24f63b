import { expect } from 'chai';

import { hub, lines, refusals, SMALL_HUB } from './support.js';

describe('the hub environment over its file', () => {
  const WITH_URL = SMALL_HUB.replace('jwks_file: /keys/jwks.json', 'jwks_url: "https://file.example/jwks"');

  it('wins for every variable', () => {
    const { config, warnings } = hub(
      `${WITH_URL}pdp: { url: "https://file.example", timeout_ms: 1, cache_ttl_sec: 1, fail_open: false }\n`,
      {
        NOWCONNECT_JWKS_URL: 'https://env.example/jwks',
        NOWCONNECT_AUDIENCE: 'env',
        NOWCONNECT_REQUIRE_CONNECTOR_SCOPES: 'true',
        NOWCONNECT_PDP_URL: 'https://env.example',
        NOWCONNECT_PDP_TIMEOUT_MS: '2',
        NOWCONNECT_PDP_CACHE_TTL_SEC: '0',
        NOWCONNECT_PDP_FAIL_OPEN: '1',
        LOG_LEVEL: 'WARNING',
      },
    );
    expect(warnings).to.deep.equal([]);
    expect(config.security).to.include({
      jwksUrl: 'https://env.example/jwks',
      audience: 'env',
      requireConnectorScopes: true,
    });
    expect(config.pdp).to.include({
      url: 'https://env.example',
      timeoutMs: 2,
      cacheTtlSec: 0,
      failOpen: true,
    });
    expect(config.observability.logLevel).to.equal('warn');
  });

  it('gives keys to sections that the file does not have', () => {
    const text = SMALL_HUB.replace(/security:.*\n/, '');
    const { config } = hub(text, { NOWCONNECT_JWKS_URL: 'https://env.example/jwks' });
    expect(config.security.jwksUrl).to.equal('https://env.example/jwks');
  });

  it('counts a variable without content as not set', () =>
    expect(hub(SMALL_HUB, { NOWCONNECT_AUDIENCE: '', LOG_LEVEL: ' ' }).config).to.deep.equal(
      hub(SMALL_HUB).config,
    ));

  it('replaces a faulty value of the file', () =>
    expect(
      hub(`${SMALL_HUB}observability: { log_level: loud }`, { LOG_LEVEL: 'error' }).config.observability
        .logLevel,
    ).to.equal('error'));

  it('takes the place of jwks_file, with a warning', () => {
    const { config, warnings } = hub(SMALL_HUB, { NOWCONNECT_JWKS_URL: 'https://env.example/jwks' });
    expect(config.security).to.include({ jwksUrl: 'https://env.example/jwks', jwksFile: undefined });
    expect(lines(warnings)).to.deep.equal([
      'hub.yaml:4:13: security.jwks_file: is not used, because NOWCONNECT_JWKS_URL is set; remove the line or unset the variable',
    ]);
  });

  for (const [text, meant] of [
    ['true', true],
    ['TRUE', true],
    ['1', true],
    ['Yes', true],
    ['false', false],
    ['0', false],
    ['NO', false],
  ] as const) {
    it(`reads ${text} as ${meant}`, () =>
      expect(
        hub(SMALL_HUB, { NOWCONNECT_REQUIRE_CONNECTOR_SCOPES: text }).config.security.requireConnectorScopes,
      ).to.equal(meant));
  }

  const FAULTS = [
    [
      { NOWCONNECT_REQUIRE_CONNECTOR_SCOPES: 'maybe' },
      'environment: NOWCONNECT_REQUIRE_CONNECTOR_SCOPES: must be true or false; write true, false, 1, 0, yes or no',
    ],
    [
      { NOWCONNECT_PDP_FAIL_OPEN: 'on' },
      'environment: NOWCONNECT_PDP_FAIL_OPEN: must be true or false; write true, false, 1, 0, yes or no',
    ],
    [
      { NOWCONNECT_PDP_TIMEOUT_MS: '5s' },
      'environment: NOWCONNECT_PDP_TIMEOUT_MS: must be a whole number; write digits only',
    ],
    [
      { NOWCONNECT_PDP_TIMEOUT_MS: '-1' },
      'environment: NOWCONNECT_PDP_TIMEOUT_MS: must be a whole number; write digits only',
    ],
    [
      { NOWCONNECT_PDP_TIMEOUT_MS: '0' },
      'environment: NOWCONNECT_PDP_TIMEOUT_MS: 0 is too small; write a whole number from 1 to 60000 (milliseconds)',
    ],
    [
      { LOG_LEVEL: 'loud' },
      'environment: LOG_LEVEL: "loud" is not known here; write debug, info, warn or error',
    ],
    [
      { NOWCONNECT_PDP_URL: 'pdp' },
      'environment: NOWCONNECT_PDP_URL: is not an http:// or https:// URL; write a URL such as "https://pdp.example/access/v1/evaluation", or "" for none',
    ],
    [
      { NOWCONNECT_JWKS_URL: 'http://idp.example' },
      'environment: NOWCONNECT_JWKS_URL: is plain http beyond loopback, so whoever can change that traffic can let agents in; write https, or add "allow_http_jwks: true" under security (security.allow_http_jwks: true)',
    ],
    [
      { NOWCONNECT_FAPI_MODE: '2' },
      'environment: NOWCONNECT_FAPI_MODE: 2 is not supported; remove it; tunnel.tls.client_ca_file binds agents to certificates',
    ],
  ] as const;
  for (const [env, found] of FAULTS) {
    it(`names the variable: ${JSON.stringify(env)}`, () =>
      expect(refusals(() => hub(SMALL_HUB, env))).to.deep.equal([found]));
  }

  it('reports a section that is no mapping once, even when a variable belongs into it', () => {
    const found = refusals(() => hub(`${SMALL_HUB}pdp: 5\n`, { NOWCONNECT_PDP_URL: 'https://env.example' }));
    expect(found).to.have.length(1);
    expect(found[0]).to.include('pdp: must be a mapping');
  });
});
