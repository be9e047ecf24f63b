import { expect } from 'chai';

import { refusesEach, withListener, withMore, withSecurity, withTunnel } from './hub-fault-table.js';
import { hub, lines, refusals, SMALL_HUB } from './support.js';

describe('loadHubConfig names place, fault and repair', () => {
  describe('of keys', () => {
    refusesEach([
      [
        'a misspelt key',
        withMore('pdp: { fail_opn: true }'),
        '<fail_opn:> pdp.fail_opn: unknown key; did you mean "fail_open"?',
      ],
      [
        'a misspelt required key, as one finding',
        withListener('conector: ldap'),
        '<conector:> listeners[0].conector: unknown key; did you mean "connector"?',
      ],
      [
        'a misspelt section',
        SMALL_HUB.replace('tunnel:', 'tunel:'),
        '<listeners:> tunnel.host: agents would send their tokens in the clear to 0.0.0.0; add "behind_tls_proxy: true" under tunnel (tunnel.behind_tls_proxy: true) if a proxy in front ends TLS, or add tls with cert_file and key_file, or write "host: 127.0.0.1"',
        '<tunel:> tunel: unknown key; did you mean "tunnel"?',
      ],
      [
        'a key that belongs elsewhere',
        withMore('jwks_url: https://idp.example/jwks'),
        '<jwks_url:> jwks_url: unknown key; it belongs under security',
      ],
      [
        'a key that belongs in several other places',
        withMore('idle_timeout_ms: 5'),
        '<idle_timeout_ms:> idle_timeout_ms: unknown key; it belongs under limits',
      ],
      [
        'a section inside another',
        withMore('pdp: { limits: {} }'),
        '<limits:> pdp.limits: unknown key; it belongs under the top level',
      ],
      [
        'a key like no other',
        withMore('pdp: { zebra: 1 }'),
        '<zebra:> pdp.zebra: unknown key; the keys here are url, api, timeout_ms, cache_ttl_sec and fail_open',
      ],
      [
        'a key that objects inherit',
        withMore('pdp: { __proto__: { fail_open: true } }'),
        '<__proto__:> pdp.__proto__: unknown key; the keys here are url, api, timeout_ms, cache_ttl_sec and fail_open',
      ],
      [
        'missing listeners',
        SMALL_HUB.split('\n').slice(2).join('\n'),
        '<tunnel:> listeners: is missing; write a list, each entry with name, bind and connector',
      ],
      [
        'a missing key in a list',
        withListener(''),
        '<{ n> listeners[0].connector: is missing; write 1 to 64 of the characters A-Z a-z 0-9 . _ -',
      ],
      [
        'half a certificate',
        withTunnel('tls: { cert_file: c.pem }'),
        '<tls:> tunnel.tls.key_file: is missing; write the path of a file',
      ],
    ]);
  });

  describe('of types', () => {
    refusesEach([
      [
        'a list that is a mapping',
        SMALL_HUB.replace(/listeners:\n.*\n/, 'listeners: { a: 1 }\n'),
        '<{ a> listeners: must be a list, not a mapping; write a list, each entry with name, bind and connector',
      ],
      [
        'a section that is a word',
        withMore('limits: none'),
        '<none> limits: must be a mapping, not text; write a mapping with max_conn_total, idle_timeout_ms, connect_timeout_ms, max_streams_per_tunnel, window_bytes, max_window_bytes, tunnel_buffer_bytes, process_buffer_bytes, drain_grace_sec and queue_depth_per_cid',
      ],
      [
        'security that is a list',
        SMALL_HUB.replace('{ jwks_file: /keys/jwks.json }', '[]'),
        '<[> security: must be a mapping, not a list; write a mapping with jwks_url, jwks_file, allow_http_jwks, issuer, audience, algorithms, clock_skew_sec, agent_id_claim, connectors_claim, require_connector_scopes, allow_cidrs and fapi_mode',
      ],
      [
        'tunnel that is a number',
        SMALL_HUB.replace('{ host: 127.0.0.1 }', '8765'),
        '<8765> tunnel: must be a mapping, not 8765; write a mapping with host, port, path, tls, behind_tls_proxy, ping_interval_sec, ping_timeout_sec, resume_grace_sec and max_ws_payload',
      ],
      [
        'a number in quotes',
        withMore('limits: { max_conn_total: "5" }'),
        '<"5"> limits.max_conn_total: must be a whole number, not text; write a whole number from 1 to 1000000',
      ],
      [
        'a fraction',
        withMore('limits: { drain_grace_sec: 1.5 }'),
        '<1.5> limits.drain_grace_sec: must be a whole number, not 1.5; write a whole number from 0 to 86400 (seconds)',
      ],
      [
        'a number that is none',
        withMore('limits: { drain_grace_sec: .nan }'),
        '<.nan> limits.drain_grace_sec: must be a whole number, not NaN; write a whole number from 0 to 86400 (seconds)',
      ],
      [
        'infinity',
        withMore('limits: { drain_grace_sec: .inf }'),
        '<.inf> limits.drain_grace_sec: must be a whole number, not Infinity; write a whole number from 0 to 86400 (seconds)',
      ],
      [
        'a port where host:port belongs',
        SMALL_HUB.replace('"127.0.0.1:389"', '389'),
        '<389> listeners[0].bind: must be text, not 389; write an address and a port such as "0.0.0.0:389" or "[::1]:389"',
      ],
      [
        'a number where text belongs',
        withSecurity('jwks_file: k, audience: 5'),
        '<5> security.audience: must be text, not 5; put the value in double quotes',
      ],
      [
        'a word for true',
        withMore('pdp: { fail_open: always }'),
        '<always> pdp.fail_open: must be true or false, not text; write true or false',
      ],
      [
        'a key without a value',
        withMore('pdp:\n  timeout_ms:'),
        '<timeout_ms:> pdp.timeout_ms: has no value; write a whole number from 1 to 60000 (milliseconds), or remove the line',
      ],
      [
        'agents without a value, which must not mean every agent',
        SMALL_HUB.replace('connector: ldap', 'connector: ldap, agents: '),
        '<agents:> listeners[0].agents: has no value; write a list of agent ids, or remove the line to let any agent serve it',
      ],
      [
        'a listener that is a word',
        SMALL_HUB.replace(/ {2}- .*\n/, '  - ldap\n'),
        '<ldap> listeners[0]: must be a mapping, not text; write a mapping with name, bind, connector, allow_cidrs, agents, max_connections, idle_timeout_ms, wait_for_agent_ms and proxy_protocol',
      ],
    ]);
  });

  it('reports everything at once, in the order of the file', () => {
    const found = refusals(() =>
      hub(`pdp: { timeout_ms: 0 }
listeners:
  - { name: a, bind: nowhere, connector: c }
  - { name: a, bind: "127.0.0.1:1", connector: c, wait: 5 }
tunnel: { host: 10.0.0.1 }
`),
    );
    expect(found.map((line) => line.split(': ').slice(0, 2).join(' '))).to.deep.equal([
      'hub.yaml:1:1 security.jwks_url',
      'hub.yaml:1:20 pdp.timeout_ms',
      'hub.yaml:3:22 listeners[0].bind',
      'hub.yaml:4:13 listeners[1].name',
      'hub.yaml:4:51 listeners[1].wait',
      'hub.yaml:5:17 tunnel.host',
    ]);
  });

  it('warns that a hub without listeners serves nobody', () => {
    const { warnings } = hub(SMALL_HUB.replace(/listeners:\n.*\n/, 'listeners: []\n'));
    expect(lines(warnings)).to.deep.equal([
      'hub.yaml:1:12: listeners: is empty, so the hub serves no client; write an entry with name, bind and connector',
    ]);
  });
});
