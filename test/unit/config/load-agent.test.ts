import { expect } from 'chai';

import { agent, agentFromEnvironment, refusals, SMALL_AGENT, SMALL_ENVIRONMENT } from './support.js';

const DEFAULTS = {
  tunnel: {
    url: 'wss://hub.example/tunnel',
    agentId: 'site-a',
    exportedConnectors: ['ldap'],
    tokenFile: '/run/agent.jwt',
    caFile: undefined,
    certFile: undefined,
    keyFile: undefined,
    pingIntervalSec: 10,
    pingTimeoutSec: 25,
  },
  targets: new Map([['ldap', { endpoints: [{ host: 'dc1.example', port: 389 }], connectTimeoutMs: 3000 }]]),
  limits: { connectTimeoutMs: 3000, idleTimeoutMs: 0, maxInflightCids: 2000 },
  proxy: { httpsProxy: '', noProxy: '', caBundle: '', trustEnv: false },
  observability: {
    healthHost: '0.0.0.0',
    healthPort: 8090,
    metricsPort: 0,
    logLevel: 'info',
    logFormat: 'plain',
  },
};

describe('loadAgentConfig', () => {
  it('fills in the documented defaults', () =>
    expect(agent(SMALL_AGENT)).to.deep.equal({ config: DEFAULTS, warnings: [] }));

  it('needs no file when the environment says the same', () =>
    expect(agentFromEnvironment(SMALL_ENVIRONMENT)).to.deep.equal({ config: DEFAULTS, warnings: [] }));

  it('takes every key', () => {
    const { config, warnings } = agent(`
tunnel: { url: "ws://[::1]:9/agents?x=1", agent_id: "site/a!", exported_connectors: [db, ldaps], auth: { token_file: t },
          ca_file: ca, cert_file: c, key_file: k, ping_interval_sec: 1, ping_timeout_sec: 2 }
targets:
  ldap: { host: "[fd00::1]", port: 389 }
  db: { host: db.example, port: 5432, connect_timeout_ms: 5000 }
  ldaps: { endpoints: ["dc1.example:636", "[fd00::2]:636"] }
limits: { connect_timeout_ms: 1, idle_timeout_ms: 2, max_inflight_cids: 3 }
proxy: { https_proxy: "http://u:p@proxy.example:3128", no_proxy: ".example", ca_bundle: b, trust_env: true }
observability: { health_host: "::1", health_port: 0, metrics_port: 9, log_level: error, log_format: json }
`);
    expect(warnings).to.deep.equal([]);
    expect(config).to.deep.equal({
      tunnel: {
        url: 'ws://[::1]:9/agents?x=1',
        agentId: 'site/a!',
        exportedConnectors: ['db', 'ldaps'],
        tokenFile: 't',
        caFile: 'ca',
        certFile: 'c',
        keyFile: 'k',
        pingIntervalSec: 1,
        pingTimeoutSec: 2,
      },
      targets: new Map([
        ['ldap', { endpoints: [{ host: 'fd00::1', port: 389 }], connectTimeoutMs: 1 }],
        ['db', { endpoints: [{ host: 'db.example', port: 5432 }], connectTimeoutMs: 5000 }],
        [
          'ldaps',
          {
            endpoints: [
              { host: 'dc1.example', port: 636 },
              { host: 'fd00::2', port: 636 },
            ],
            connectTimeoutMs: 1,
          },
        ],
      ]),
      limits: { connectTimeoutMs: 1, idleTimeoutMs: 2, maxInflightCids: 3 },
      proxy: {
        httpsProxy: 'http://u:p@proxy.example:3128',
        noProxy: '.example',
        caBundle: 'b',
        trustEnv: true,
      },
      observability: {
        healthHost: '::1',
        healthPort: 0,
        metricsPort: 9,
        logLevel: 'error',
        logFormat: 'json',
      },
    });
  });

  it('exports every target when the file names none', () => {
    const { config } = agent(`${SMALL_AGENT}  db: { host: db.example, port: 5432 }\n`);
    expect(config.tunnel.exportedConnectors).to.deep.equal(['ldap', 'db']);
  });

  it('keeps a connector called "constructor" apart from what objects inherit', () => {
    const { config } = agent(SMALL_AGENT.replace('ldap:', 'constructor:'));
    expect([...config.targets.keys()]).to.deep.equal(['constructor']);
    const missing = SMALL_AGENT.replace('agent_id', 'exported_connectors: [toString]\n  agent_id');
    expect(refusals(() => agent(missing))[0]).to.include('the connector "toString" has no target');
  });

  for (const [url, dialled] of [
    ['wss://hub.example', 'wss://hub.example/tunnel'],
    ['wss://hub.example/', 'wss://hub.example/tunnel'],
    ['wss://hub.example:8443?site=1', 'wss://hub.example:8443/tunnel?site=1'],
    ['wss://hub.example/agents', 'wss://hub.example/agents'],
    ['WSS://HUB.example/', 'wss://hub.example/tunnel'],
    ['ws://localhost:8765', 'ws://localhost:8765/tunnel'],
    ['ws://127.1.2.3', 'ws://127.1.2.3/tunnel'],
  ] as const) {
    it(`dials ${dialled} for ${url}`, () =>
      expect(agent(SMALL_AGENT.replace('wss://hub.example/tunnel', url)).config.tunnel.url).to.equal(
        dialled,
      ));
  }

  it('takes 1,000 targets and refuses 1,001', () => {
    const file = (count: number) =>
      SMALL_AGENT +
      Array.from({ length: count - 1 }, (_, index) => `  t${index}: { host: h, port: 1 }\n`).join('');
    expect(agent(file(1000)).config.targets.size).to.equal(1000);
    expect(refusals(() => agent(file(1001)))[0]).to.include(
      'targets: has too many entries; write at most 1000',
    );
  });

  it('takes 64 endpoints and refuses 65', () => {
    const file = (count: number) =>
      SMALL_AGENT.replace(
        'host: dc1.example, port: 389',
        `endpoints: [${Array(count).fill('"h:1"').join(', ')}]`,
      );
    expect(agent(file(64)).config.targets.get('ldap')?.endpoints).to.have.length(64);
    expect(refusals(() => agent(file(65)))[0]).to.include('targets.ldap.endpoints: has too many entries');
  });
});
