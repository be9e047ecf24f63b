import { expect } from 'chai';

import { agent, hub, lines, refusals } from './support.js';

/** The keys and habits of the older NowConnect's documented files: equal ping keys, capital log levels, its own limits. */
const CLOUD = `listeners:
  - name: corp-ldap
    bind: "0.0.0.0:389"
    connector: "corp"
  - name: corp-ldaps
    bind: "0.0.0.0:636"
    connector: "corp-tls"

tunnel:
  host: "0.0.0.0"
  port: 8765
  max_ws_payload: 8192
  ping_interval_sec: 20
  ping_timeout_sec: 20

limits:
  idle_timeout_ms: 60000
  queue_depth_per_cid: 100
  max_conn_total: 2000

security:
  jwks_url: "https://idp.example/api/oidc/jwks.json"
  audience: "nowconnect"
  allow_cidrs: []
  require_connector_scopes: false
  fapi_mode: 0

observability:
  metrics_port: 8000
  log_level: "INFO"

pdp:
  url: ""
  cache_ttl_sec: 5
  timeout_ms: 500
  fail_open: false

ha:
  enabled: false
  mode: shadow
  redis_url: redis://redis.example:6379/0
  mesh: { peers: ["wss://peer.example/mesh"], require_mtls: true }
`;

const PREMISE = `tunnel:
  url: "wss://hub.example/tunnel"
  agent_id: "premise-site-01"
  exported_connectors: ["corp", "corp-tls"]
  auth:
    token_file: "/run/secrets/agent.jwt"
  ping_interval_sec: 20
  ping_timeout_sec: 20
  max_ws_payload: 8192

targets:
  corp:     { host: "dc1.example", port: 389 }
  corp-tls: { host: "dc1.example", port: 636 }

limits:
  idle_timeout_ms: 60000
  connect_timeout_ms: 3000
  queue_depth_per_cid: 100
  max_inflight_cids: 2000

observability:
  metrics_port: 8000
  log_level: "WARNING"

proxy:
  https_proxy: ""
  no_proxy: ""
  ca_bundle: ""
`;

const ONE_LINE = CLOUD.replace('tunnel:\n', 'tunnel:\n  behind_tls_proxy: true\n');

describe('a cloud.yaml of the older NowConnect', () => {
  it('is refused as it stands for one reason, which names the line to add', () => {
    const found = refusals(() => hub(CLOUD));
    expect(found).to.have.length(1);
    expect(found[0]).to.match(/^hub\.yaml:10:9: tunnel\.host: .*tunnel\.behind_tls_proxy: true/);
  });

  it('is accepted with that one line', () => {
    const { config } = hub(ONE_LINE);
    expect(config.listeners.map(({ name, bind, connector }) => [name, bind.port, connector])).to.deep.equal([
      ['corp-ldap', 389, 'corp'],
      ['corp-ldaps', 636, 'corp-tls'],
    ]);
    expect(config.tunnel).to.include({ port: 8765, maxWsPayload: 8192, behindTlsProxy: true });
    expect(config.limits).to.include({ idleTimeoutMs: 60_000, maxConnTotal: 2000 });
    expect(config.observability.logLevel).to.equal('info');
  });

  it('is accepted without a line when its tunnel is on loopback', () =>
    expect(() => hub(CLOUD.replace('host: "0.0.0.0"', 'host: "127.0.0.1"'))).to.not.throw());

  it('keeps the moment at which a silent tunnel is dead: one timeout after the PING', () =>
    expect(hub(ONE_LINE).config.tunnel).to.include({ pingIntervalSec: 20, pingTimeoutSec: 40 }));

  it('warns about each key that has no meaning here and names its replacement', () =>
    expect(lines(hub(ONE_LINE).warnings)).to.deep.equal([
      'hub.yaml:15:21: tunnel.ping_timeout_sec: 20 is not longer than ping_interval_sec (20); it is taken as the wait after a PING, which makes 40; write 40',
      "hub.yaml:19:3: limits.queue_depth_per_cid: has no effect; remove the line; the hub's limits.window_bytes and limits.max_window_bytes bound a stream in bytes",
      'hub.yaml:27:3: security.fapi_mode: has no effect; remove it; tunnel.tls.client_ca_file binds agents to certificates',
      'hub.yaml:39:1: ha: has no effect; remove the section; agents may dial several independent hubs, each with its own agent process',
    ]));

  it('is refused with HA switched on', () =>
    expect(refusals(() => hub(ONE_LINE.replace('enabled: false', 'enabled: true')))).to.deep.equal([
      'hub.yaml:40:12: ha.enabled: true is not supported; high availability (HA) across hubs is not supported: write "enabled: false" or remove the section',
    ]));

  it('is refused with a FAPI mode', () =>
    expect(refusals(() => hub(ONE_LINE.replace('fapi_mode: 0', 'fapi_mode: 2')))).to.deep.equal([
      'hub.yaml:27:14: security.fapi_mode: 2 is not supported; remove it; tunnel.tls.client_ca_file binds agents to certificates',
    ]));

  it('is refused with a jwks_url over http until the line is there', () => {
    const http = ONE_LINE.replace('https://idp', 'http://idp');
    expect(refusals(() => hub(http)).join()).to.include('security.allow_http_jwks: true');
    expect(() => hub(http.replace('security:\n', 'security:\n  allow_http_jwks: true\n'))).to.not.throw();
  });
});

describe('a premise.yaml of the older NowConnect', () => {
  it('is accepted as it stands', () => {
    const { config } = agent(PREMISE);
    expect(config.tunnel).to.include({ agentId: 'premise-site-01', pingIntervalSec: 20, pingTimeoutSec: 40 });
    expect(config.tunnel.exportedConnectors).to.deep.equal(['corp', 'corp-tls']);
    expect(config.targets.get('corp-tls')?.endpoints).to.deep.equal([{ host: 'dc1.example', port: 636 }]);
    expect(config.limits).to.deep.equal({
      connectTimeoutMs: 3000,
      idleTimeoutMs: 60_000,
      maxInflightCids: 2000,
    });
    expect(config.observability).to.include({ metricsPort: 8000, logLevel: 'warn' });
  });

  it('warns about each key that has no meaning here', () =>
    expect(
      lines(agent(PREMISE).warnings).map((line) => line.split(': ').slice(0, 2).join(' ')),
    ).to.deep.equal([
      'agent.yaml:8:21 tunnel.ping_timeout_sec',
      'agent.yaml:9:3 tunnel.max_ws_payload',
      'agent.yaml:18:3 limits.queue_depth_per_cid',
    ]));
});

describe('ping_timeout_sec', () => {
  const load = (interval: number, timeout: number) =>
    hub(
      ONE_LINE.replace('ping_interval_sec: 20', `ping_interval_sec: ${interval}`).replace(
        'ping_timeout_sec: 20',
        `ping_timeout_sec: ${timeout}`,
      ),
    );

  it('is taken as it is when it is longer than the interval, without a warning', () => {
    const { config, warnings } = load(10, 11);
    expect(config.tunnel.pingTimeoutSec).to.equal(11);
    expect(lines(warnings).join()).to.not.include('ping_timeout_sec');
  });

  it('is always longer than the interval in the effective configuration', () => {
    for (const [interval, timeout] of [
      [10, 1],
      [10, 10],
      [3600, 3600],
      [1, 1],
    ] as const) {
      const { tunnel } = load(interval, timeout).config;
      expect(tunnel.pingTimeoutSec).to.be.greaterThan(tunnel.pingIntervalSec);
    }
  });
});
