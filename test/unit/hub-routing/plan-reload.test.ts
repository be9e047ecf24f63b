import { expect } from 'chai';
import type { HubConfig, ListenerConfig } from '../../../config/types.js';
import { type ReloadPlan, planReload } from '../../../hub/routing/plan-reload.js';
import { NO_PROXY, listenerConfig } from '../hub-listeners/listener-config.js';

const TLS = { certFile: 'a.crt', keyFile: 'a.key', clientCaFile: undefined, minVersion: 'TLSv1.2' } as const;

const CONFIG: HubConfig = {
  listeners: [],
  tunnel: {
    host: '0.0.0.0',
    port: 8765,
    path: '/tunnel',
    tls: TLS,
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
    jwksFile: 'jwks.json',
    allowHttpJwks: false,
    issuer: undefined,
    audience: 'nowconnect',
    algorithms: ['RS256'],
    clockSkewSec: 30,
    agentIdClaim: 'agent_id',
    connectorsClaim: 'connectors',
    requireConnectorScopes: false,
    allowCidrs: [],
  },
  pdp: { url: '', api: 'authzen', timeoutMs: 500, cacheTtlSec: 5, failOpen: false },
  observability: { host: '127.0.0.1', metricsPort: 8000, logLevel: 'info', logFormat: 'json' },
};

const UNCHANGED = { security: false, pdp: false, limits: false, logLevel: false, restartRequired: [] };

function listener(name: string, port: number, changes: Partial<ListenerConfig> = {}): ListenerConfig {
  return listenerConfig({ name, connector: name, bind: { host: '0.0.0.0', port }, ...changes });
}

function planListeners(current: ListenerConfig[], next: ListenerConfig[]): Record<string, string[]> {
  const { listeners } = planReload({ ...CONFIG, listeners: current }, { ...CONFIG, listeners: next });
  return {
    keep: listeners.keep.map(({ from, to }) => `${from.name}>${to.name}`),
    update: listeners.update.map(({ from, to }) => `${from.name}>${to.name}`),
    stop: listeners.stop.map(({ name }) => name),
    start: listeners.start.map(({ name }) => name),
  };
}

function planOf(changes: Partial<HubConfig>): Omit<ReloadPlan, 'listeners'> {
  const { listeners, ...rest } = planReload(CONFIG, { ...CONFIG, ...changes });
  expect(listeners).to.deep.equal({ keep: [], update: [], stop: [], start: [] });
  return rest;
}

describe('plan of a reload', () => {
  const ldap = listener('ldap', 389);
  const db = listener('db', 5432);

  describe('listeners', () => {
    for (const [rule, current, next, expected] of [
      ['keeps what did not change', [ldap, db], [ldap, db], { keep: ['ldap>ldap', 'db>db'] }],
      ['keeps them in any order of the file', [ldap, db], [db, ldap], { keep: ['db>db', 'ldap>ldap'] }],
      ['keeps equal values in new objects', [ldap], [listener('ldap', 389)], { keep: ['ldap>ldap'] }],
      ['keeps one that only got another name', [ldap], [{ ...ldap, name: 'corp' }], { keep: ['ldap>corp'] }],
      ['starts a new one', [ldap], [ldap, db], { keep: ['ldap>ldap'], start: ['db'] }],
      ['stops one that is gone', [ldap, db], [db], { keep: ['db>db'], stop: ['ldap'] }],
      ['moves one whose port changed', [ldap], [listener('ldap', 390)], { stop: ['ldap'], start: ['ldap'] }],
      [
        'moves one whose address changed',
        [ldap],
        [{ ...ldap, bind: { host: '127.0.0.1', port: 389 } }],
        { stop: ['ldap'], start: ['ldap'] },
      ],
      [
        'lets two listeners swap their names',
        [ldap, db],
        [
          { ...ldap, name: 'db' },
          { ...db, name: 'ldap' },
        ],
        { keep: ['ldap>db', 'db>ldap'] },
      ],
      [
        'tells several listeners on port 0 apart by name',
        [listener('a', 0, { connector: 'x' }), listener('b', 0, { connector: 'x' })],
        [listener('b', 0, { connector: 'x' }), listener('c', 0, { connector: 'x' }), listener('d', 0)],
        { keep: ['b>b', 'a>c'], start: ['d'] },
      ],
    ] as const) {
      it(rule, () => {
        const nothing = { keep: [], update: [], stop: [], start: [] };
        expect(planListeners([...current], [...next])).to.deep.equal({ ...nothing, ...expected });
      });
    }

    for (const changes of [
      { connector: 'other' },
      { allowCidrs: ['10.0.0.0/8'] },
      { agents: ['site-a'] },
      { maxConnections: 5 },
      { idleTimeoutMs: 1000 },
      { waitForAgentMs: 0 },
      { proxyProtocol: { ...NO_PROXY, send: 'v1' } },
    ] as const satisfies readonly Partial<ListenerConfig>[]) {
      it(`updates without closing the port when ${Object.keys(changes).join()} changes`, () => {
        const next = { ...ldap, ...changes };
        const { listeners } = planReload({ ...CONFIG, listeners: [ldap] }, { ...CONFIG, listeners: [next] });
        expect(listeners).to.deep.equal({
          keep: [],
          update: [{ from: ldap, to: next }],
          stop: [],
          start: [],
        });
      });
    }
  });

  it('finds nothing to do between equal configurations', () => {
    expect(planOf(structuredClone(CONFIG))).to.deep.equal(UNCHANGED);
  });

  it('sees changed token rules', () => {
    expect(planOf({ security: { ...CONFIG.security, algorithms: ['RS256', 'ES256'] } })).to.deep.equal({
      ...UNCHANGED,
      security: true,
    });
  });

  it('sees a changed PDP', () => {
    expect(planOf({ pdp: { ...CONFIG.pdp, failOpen: true } })).to.deep.equal({ ...UNCHANGED, pdp: true });
  });

  it('sees changed limits', () => {
    expect(planOf({ limits: { ...CONFIG.limits, maxConnTotal: 1 } })).to.deep.equal({
      ...UNCHANGED,
      limits: true,
    });
  });

  it('leaves to the listeners what was merged into them', () => {
    const limits = { ...CONFIG.limits, idleTimeoutMs: 5 };
    const security = { ...CONFIG.security, allowCidrs: ['10.0.0.0/8'] };
    expect(planOf({ limits, security })).to.deep.equal(UNCHANGED);
  });

  it('sees a changed log level', () => {
    const observability = { ...CONFIG.observability, logLevel: 'debug' } as const;
    expect(planOf({ observability })).to.deep.equal({ ...UNCHANGED, logLevel: true });
  });

  const { tunnel, observability } = CONFIG;
  for (const [key, changes] of [
    ['tunnel.host', { tunnel: { ...tunnel, host: '127.0.0.1' } }],
    ['tunnel.port', { tunnel: { ...tunnel, port: 1 } }],
    ['tunnel.path', { tunnel: { ...tunnel, path: '/t' } }],
    ['tunnel.tls.cert_file', { tunnel: { ...tunnel, tls: { ...TLS, certFile: 'b.crt' } } }],
    ['tunnel.tls.key_file', { tunnel: { ...tunnel, tls: { ...TLS, keyFile: 'b.key' } } }],
    ['tunnel.tls.client_ca_file', { tunnel: { ...tunnel, tls: { ...TLS, clientCaFile: 'ca.crt' } } }],
    ['tunnel.tls.min_version', { tunnel: { ...tunnel, tls: { ...TLS, minVersion: 'TLSv1.3' } } }],
    ['tunnel.behind_tls_proxy', { tunnel: { ...tunnel, behindTlsProxy: true } }],
    ['tunnel.ping_interval_sec', { tunnel: { ...tunnel, pingIntervalSec: 1 } }],
    ['tunnel.ping_timeout_sec', { tunnel: { ...tunnel, pingTimeoutSec: 2 } }],
    ['tunnel.resume_grace_sec', { tunnel: { ...tunnel, resumeGraceSec: 0 } }],
    ['tunnel.max_ws_payload', { tunnel: { ...tunnel, maxWsPayload: 1 } }],
    ['observability.host', { observability: { ...observability, host: '::1' } }],
    ['observability.metrics_port', { observability: { ...observability, metricsPort: 1 } }],
    ['observability.log_format', { observability: { ...observability, logFormat: 'plain' } }],
  ] as const satisfies readonly (readonly [string, Partial<HubConfig>])[]) {
    it(`says that ${key} needs a restart`, () => {
      expect(planOf(changes)).to.deep.equal({ ...UNCHANGED, restartRequired: [key] });
    });
  }

  it('names each part of tunnel.tls when it is taken away', () => {
    expect(planOf({ tunnel: { ...tunnel, tls: undefined } }).restartRequired).to.deep.equal([
      'tunnel.tls.cert_file',
      'tunnel.tls.key_file',
      'tunnel.tls.min_version',
    ]);
  });
});
