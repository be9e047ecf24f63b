import { expect } from 'chai';

import { hub, lines, refusals, SMALL_HUB } from './support.js';

describe('loadHubConfig', () => {
  it('fills in the documented defaults', () => {
    const { config, warnings } = hub(SMALL_HUB);
    expect(warnings).to.deep.equal([]);
    expect(config).to.deep.equal({
      listeners: [
        {
          name: 'a',
          bind: { host: '127.0.0.1', port: 389 },
          connector: 'ldap',
          allowCidrs: [],
          agents: undefined,
          maxConnections: undefined,
          idleTimeoutMs: 0,
          waitForAgentMs: 3000,
          proxyProtocol: { accept: 'off', trustedCidrs: [], send: 'off' },
        },
      ],
      tunnel: {
        host: '127.0.0.1',
        port: 8765,
        path: '/tunnel',
        tls: undefined,
        behindTlsProxy: false,
        pingIntervalSec: 10,
        pingTimeoutSec: 25,
        resumeGraceSec: 60,
        maxWsPayload: 65_536,
      },
      limits: {
        maxConnTotal: 10_000,
        idleTimeoutMs: 0,
        connectTimeoutMs: 10_000,
        maxStreamsPerTunnel: 4096,
        windowBytes: 262_144,
        maxWindowBytes: 16_777_216,
        tunnelBufferBytes: 67_108_864,
        processBufferBytes: 536_870_912,
        drainGraceSec: 30,
      },
      security: {
        jwksUrl: undefined,
        jwksFile: '/keys/jwks.json',
        allowHttpJwks: false,
        issuer: undefined,
        audience: 'nowconnect',
        algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
        clockSkewSec: 30,
        agentIdClaim: 'agent_id',
        connectorsClaim: 'connectors',
        requireConnectorScopes: false,
        allowCidrs: [],
      },
      pdp: { url: '', api: 'authzen', timeoutMs: 500, cacheTtlSec: 5, failOpen: false },
      observability: { host: '127.0.0.1', metricsPort: 8000, logLevel: 'info', logFormat: 'json' },
    });
  });

  it('takes every key', () => {
    const { config, warnings } = hub(`
listeners:
  - name: corp-ldap
    bind: "[::1]:0"
    connector: ldap.corp
    allow_cidrs: [10.0.0.0/8, 10.9.9.9]
    agents: [site-a, site-b]
    max_connections: 500
    idle_timeout_ms: 7
    wait_for_agent_ms: 0
    proxy_protocol: { accept: v2, trusted_cidrs: ["::1"], send: v1 }
tunnel:
  host: "[::]"
  port: 0
  path: /agents/tunnel
  tls: { cert_file: c.pem, key_file: k.pem, client_ca_file: ca.pem, min_version: TLSv1.3 }
  behind_tls_proxy: true
  ping_interval_sec: 1
  ping_timeout_sec: 2
  resume_grace_sec: 0
  max_ws_payload: 1024
limits: { max_conn_total: 1, idle_timeout_ms: 2, connect_timeout_ms: 3, max_streams_per_tunnel: 4, window_bytes: 1024,
          max_window_bytes: 1024, tunnel_buffer_bytes: 65536, process_buffer_bytes: 65536, drain_grace_sec: 0 }
security: { jwks_url: "http://idp.example/jwks", allow_http_jwks: true, issuer: me, audience: you, algorithms: [ES512],
            clock_skew_sec: 0, agent_id_claim: sub, connectors_claim: scp, require_connector_scopes: true, allow_cidrs: [0.0.0.0/0] }
pdp: { url: "http://pdp.example", api: authzen, timeout_ms: 1, cache_ttl_sec: 0, fail_open: true }
observability: { host: localhost, metrics_port: 0, log_level: debug, log_format: plain }
`);
    expect(warnings).to.deep.equal([]);
    expect(config).to.deep.equal({
      listeners: [
        {
          name: 'corp-ldap',
          bind: { host: '::1', port: 0 },
          connector: 'ldap.corp',
          allowCidrs: ['10.0.0.0/8', '10.9.9.9/32'],
          agents: ['site-a', 'site-b'],
          maxConnections: 500,
          idleTimeoutMs: 7,
          waitForAgentMs: 0,
          proxyProtocol: { accept: 'v2', trustedCidrs: ['::1/128'], send: 'v1' },
        },
      ],
      tunnel: {
        host: '::',
        port: 0,
        path: '/agents/tunnel',
        tls: { certFile: 'c.pem', keyFile: 'k.pem', clientCaFile: 'ca.pem', minVersion: 'TLSv1.3' },
        behindTlsProxy: true,
        pingIntervalSec: 1,
        pingTimeoutSec: 2,
        resumeGraceSec: 0,
        maxWsPayload: 1024,
      },
      limits: {
        maxConnTotal: 1,
        idleTimeoutMs: 2,
        connectTimeoutMs: 3,
        maxStreamsPerTunnel: 4,
        windowBytes: 1024,
        maxWindowBytes: 1024,
        tunnelBufferBytes: 65_536,
        processBufferBytes: 65_536,
        drainGraceSec: 0,
      },
      security: {
        jwksUrl: 'http://idp.example/jwks',
        jwksFile: undefined,
        allowHttpJwks: true,
        issuer: 'me',
        audience: 'you',
        algorithms: ['ES512'],
        clockSkewSec: 0,
        agentIdClaim: 'sub',
        connectorsClaim: 'scp',
        requireConnectorScopes: true,
        allowCidrs: ['0.0.0.0/0'],
      },
      pdp: { url: 'http://pdp.example', api: 'authzen', timeoutMs: 1, cacheTtlSec: 0, failOpen: true },
      observability: { host: 'localhost', metricsPort: 0, logLevel: 'debug', logFormat: 'plain' },
    });
  });

  it('gives two loads of one text separate data', () => {
    const first = hub(SMALL_HUB).config;
    const second = hub(SMALL_HUB).config;
    expect(first.security.algorithms).to.not.equal(second.security.algorithms);
  });

  describe('inheritance', () => {
    const load = (listener: string, more: string) =>
      hub(`
listeners: [{ name: a, bind: "127.0.0.1:1", connector: c${listener} }]
tunnel: { host: 127.0.0.1 }
${more}`);
    const SECURITY = 'security: { jwks_file: k, allow_cidrs: [10.0.0.0/8] }';

    it('gives a listener the ranges of security when it has none', () =>
      expect(load('', SECURITY).config.listeners[0]?.allowCidrs).to.deep.equal(['10.0.0.0/8']));

    it("prefers the listener's own ranges", () => {
      const { config } = load(', allow_cidrs: [192.168.0.0/16]', SECURITY);
      expect(config.listeners[0]?.allowCidrs).to.deep.equal(['192.168.0.0/16']);
    });

    it('lets everyone in with an empty list of its own, and warns', () => {
      const { config, warnings } = load(', allow_cidrs: []', SECURITY);
      expect(config.listeners[0]?.allowCidrs).to.deep.equal([]);
      expect(lines(warnings)).to.deep.equal([
        'hub.yaml:2:72: listeners[0].allow_cidrs: is empty, so everyone may connect although security.allow_cidrs is set; remove the line to use security.allow_cidrs',
      ]);
    });

    it('gives a listener the idle timeout of limits, 0 of its own staying 0', () => {
      const more = 'security: { jwks_file: k }\nlimits: { idle_timeout_ms: 9 }';
      expect(load('', more).config.listeners[0]?.idleTimeoutMs).to.equal(9);
      expect(load(', idle_timeout_ms: 0', more).config.listeners[0]?.idleTimeoutMs).to.equal(0);
    });
  });

  describe('spellings', () => {
    for (const [level, meant] of [
      ['INFO', 'info'],
      ['Debug', 'debug'],
      ['WARNING', 'warn'],
      ['warn', 'warn'],
      ['CRITICAL', 'error'],
      ['eRRor', 'error'],
    ] as const) {
      it(`takes the log level ${level} for ${meant}`, () =>
        expect(
          hub(`${SMALL_HUB}observability: { log_level: ${level} }`).config.observability.logLevel,
        ).to.equal(meant));
    }

    for (const [word, meant] of [
      ['yes', true],
      ['On', true],
      ['NO', false],
      ['off', false],
    ] as const) {
      it(`takes ${word} for ${meant} where true or false is wanted`, () =>
        expect(hub(`${SMALL_HUB}pdp: { fail_open: ${word} }`).config.pdp.failOpen).to.equal(meant));
    }

    it('takes a section without content for its defaults', () =>
      expect(hub(`${SMALL_HUB}pdp:\nlimits:\n  # nothing\n`).config).to.deep.equal(hub(SMALL_HUB).config));

    it('takes a log format in any case', () =>
      expect(hub(`${SMALL_HUB}observability: { log_format: Plain }`).config.observability.logFormat).to.equal(
        'plain',
      ));
  });

  describe('bounds on counts', () => {
    const listeners = (count: number) =>
      Array.from(
        { length: count },
        (_, index) => `  - { name: l${index}, bind: "127.0.0.1:0", connector: c }`,
      );
    const file = (entries: readonly string[]) =>
      `listeners:\n${entries.join('\n')}\ntunnel: { host: 127.0.0.1 }\nsecurity: { jwks_file: k }\n`;

    it('takes 1,000 listeners and refuses 1,001', () => {
      expect(hub(file(listeners(1000))).config.listeners).to.have.length(1000);
      expect(refusals(() => hub(file(listeners(1001))))).to.deep.equal([
        'hub.yaml:2:3: listeners: has too many entries; write at most 1000',
      ]);
    });

    it('takes 1,000 ranges and refuses 1,001', () => {
      const ranges = (count: number) =>
        SMALL_HUB.replace(
          'jwks_file',
          `allow_cidrs: [${Array(count).fill('10.0.0.0/8').join(', ')}], jwks_file`,
        );
      expect(hub(ranges(1000)).config.security.allowCidrs).to.have.length(1000);
      expect(refusals(() => hub(ranges(1001)))[0]).to.include('security.allow_cidrs: has too many entries');
    });
  });
});
