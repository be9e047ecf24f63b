import { expect } from 'chai';

import { hub, lines, refusals, SMALL_HUB } from './support.js';

/** SMALL_HUB has four lines; what is added stands on line 5. */
const withMore = (more: string) => `${SMALL_HUB}${more}\n`;
const withListener = (keys: string) => SMALL_HUB.replace('connector: ldap', keys);
const withTunnel = (keys: string) => SMALL_HUB.replace('host: 127.0.0.1 }', `${keys} }`);
const withSecurity = (keys: string) => SMALL_HUB.replace('jwks_file: /keys/jwks.json', keys);

/** A finding starts with `<…>`: the text it points at, which stands once in the file. */
type Fault = readonly [title: string, text: string, ...found: string[]];

function placed(finding: string, text: string): string {
  const [, token = '', rest = ''] = /^<(.*?)> (.*)$/s.exec(finding) ?? [];
  const before = text.slice(0, text.indexOf(token));
  expect(text.split(token), `"${token}" stands once`).to.have.length(2);
  return `hub.yaml:${before.split('\n').length}:${before.length - before.lastIndexOf('\n')}: ${rest}`;
}

function refusesEach(faults: readonly Fault[]): void {
  for (const [title, text, ...found] of faults) {
    it(`refuses ${title}`, () =>
      expect(refusals(() => hub(text))).to.deep.equal(found.map((line) => placed(line, text))));
  }
}

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

  describe('of values', () => {
    refusesEach([
      [
        'an unknown log level',
        withMore('observability: { log_level: loud }'),
        '<loud> observability.log_level: "loud" is not known here; write debug, info, warn or error',
      ],
      [
        'a misspelt log level',
        withMore('observability: { log_level: inof }'),
        '<inof> observability.log_level: "inof" is not known here; did you mean "info"?',
      ],
      [
        'an unsafe signature algorithm',
        withSecurity('jwks_file: k, algorithms: [none]'),
        '<none> security.algorithms[0]: "none" is not known here; write RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA',
      ],
      [
        'no algorithm at all',
        withSecurity('jwks_file: k, algorithms: []'),
        '<[> security.algorithms: is an empty list; write a list such as [a, b]',
      ],
      [
        'an old TLS version',
        withTunnel('tls: { cert_file: c, key_file: k, min_version: TLSv1.0 }'),
        '<TLSv1.0> tunnel.tls.min_version: "TLSv1.0" is not known here; did you mean "TLSv1.2"?',
      ],
      [
        'a number below its range',
        withTunnel('host: 127.0.0.1, max_ws_payload: 1023'),
        '<1023> tunnel.max_ws_payload: 1023 is too small; write a whole number from 1024 to 65536 (bytes)',
      ],
      [
        'a number above its range',
        withTunnel('host: 127.0.0.1, port: 65536'),
        '<65536> tunnel.port: 65536 is too large; write a whole number from 0 to 65535',
      ],
      [
        'an empty issuer',
        withSecurity('jwks_file: k, issuer: ""'),
        '<""> security.issuer: is empty; write a text that is not empty',
      ],
      [
        'a bind without a port',
        SMALL_HUB.replace('127.0.0.1:389', '127.0.0.1'),
        '<"127.0.0.1"> listeners[0].bind: "127.0.0.1" has no ":port"; write an address and a port such as "0.0.0.0:389" or "[::1]:389"',
      ],
      [
        'a host with a port',
        withTunnel('host: "127.0.0.1:80"'),
        '<"127.0.0.1:80"> tunnel.host: "127.0.0.1:80" is not an IPv6 address; write a host name or an IP address without a port',
      ],
      [
        'a bad range',
        withListener('connector: c, allow_cidrs: [10.0.0.0/8, 10.0.0.0/99]'),
        '<10.0.0.0/99> listeners[0].allow_cidrs[1]: "10.0.0.0/99" has a prefix that is not a number from 0 to 32; write a range such as "10.0.0.0/8", "fd00::/8" or one address',
      ],
      [
        'a connector name with a blank',
        withListener('connector: "a b"'),
        '<"a> listeners[0].connector: has a form that is not allowed; write 1 to 64 of the characters A-Z a-z 0-9 . _ -',
      ],
      [
        'a connector name of 65 characters',
        withListener(`connector: ${'a'.repeat(65)}`),
        '<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa> listeners[0].connector: has a form that is not allowed; write 1 to 64 of the characters A-Z a-z 0-9 . _ -',
      ],
      [
        'an agent id with a blank',
        withListener('connector: c, agents: ["site a"]'),
        '<"site> listeners[0].agents[0]: has a form that is not allowed; write 1 to 128 printable ASCII characters without spaces',
      ],
      [
        'an empty list of agents',
        withListener('connector: c, agents: []'),
        '<[> listeners[0].agents: is an empty list; write a list of agent ids, or remove the line to let any agent serve it',
      ],
      [
        'a path that is none',
        withTunnel('host: 127.0.0.1, path: tunnel'),
        '<tunnel > tunnel.path: has a form that is not allowed; write a path such as "/tunnel"',
      ],
      [
        'a URL that is none',
        withSecurity('jwks_url: idp.example/jwks'),
        '<idp.example/jwks> security.jwks_url: is not an http:// or https:// URL; write a URL such as "https://idp.example/jwks.json"',
      ],
      [
        'a URL of another kind',
        withSecurity('jwks_url: "file:///etc/jwks"'),
        '<"file:///etc/jwks"> security.jwks_url: is not an http:// or https:// URL; write a URL such as "https://idp.example/jwks.json"',
      ],
      [
        'an empty jwks_url',
        withSecurity('jwks_url: ""'),
        '<""> security.jwks_url: is empty; write a URL such as "https://idp.example/jwks.json"',
      ],
      [
        'a name that is too long',
        withSecurity(`jwks_file: k, agent_id_claim: ${'a'.repeat(129)}`),
        '<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa> security.agent_id_claim: is longer than 128 characters; write a text that is not empty',
      ],
      [
        'a proxy protocol that is off in another language',
        withListener('connector: c, proxy_protocol: { accept: none }'),
        '<none> listeners[0].proxy_protocol.accept: "none" is not known here; write off, v1 or v2',
      ],
    ]);

    it('repeats no URL and no file name in a refusal', () => {
      const secrets = [
        withSecurity('jwks_url: "ftp://user:S3CRET@idp.example"'),
        withSecurity('jwks_file: "-----BEGIN\\nS3CRET"'),
        withMore('pdp: { url: "S3CRET" }'),
        withSecurity(`jwks_file: k, audience: ${'S3CRET'.repeat(400)}`),
      ];
      for (const text of secrets) {
        const found = refusals(() => hub(text)).join();
        expect(found).to.not.equal('').and.not.include('S3CRET');
      }
    });
  });

  describe('of keys together', () => {
    const two = (first: string, second: string, more = '') =>
      `listeners:\n  - ${first}\n  - ${second}\ntunnel: { host: 127.0.0.1 }\nsecurity: { jwks_file: k }\n${more}`;

    refusesEach([
      [
        'two listeners of one name',
        two(
          '{ name: a, bind: "127.0.0.1:1", connector: c }',
          '{ name: a, bind: "127.0.0.1:2", connector: c }',
        ),
        '<a, bind: "127.0.0.1:2> listeners[1].name: "a" is already the name of listeners[0]; write another name',
      ],
      [
        'two listeners on one address',
        two(
          '{ name: a, bind: "127.0.0.1:1", connector: c }',
          '{ name: b, bind: "127.0.0.1:1", connector: d }',
        ),
        '<"127.0.0.1:1", connector: d> listeners[1].bind: 127.0.0.1:1 is already taken by listeners[0].bind (127.0.0.1:1); write another port or address',
      ],
      [
        'a listener inside the address of another',
        two('{ name: a, bind: "0.0.0.0:1", connector: c }', '{ name: b, bind: "127.0.0.1:1", connector: d }'),
        '<"127.0.0.1:1"> listeners[1].bind: 127.0.0.1:1 is already taken by listeners[0].bind (0.0.0.0:1); write another port or address',
      ],
      [
        'the same for IPv6',
        two('{ name: a, bind: "[::1]:1", connector: c }', '{ name: b, bind: "[::]:1", connector: d }'),
        '<"[::]> listeners[1].bind: [::]:1 is already taken by listeners[0].bind ([::1]:1); write another port or address',
      ],
      [
        'a listener on the port of the tunnel',
        SMALL_HUB.replace(':389', ':8765'),
        '<tunnel:> tunnel.port: 127.0.0.1:8765 is already taken by listeners[0].bind (127.0.0.1:8765); write another port or address',
      ],
      [
        'metrics on the port of the tunnel',
        withMore('observability: { metrics_port: 8765 }'),
        '<8765> observability.metrics_port: 127.0.0.1:8765 is already taken by tunnel.port (127.0.0.1:8765); write another port or address',
      ],
      [
        'a plain tunnel on a public address',
        withTunnel('host: 10.0.0.1'),
        '<10.0.0.1> tunnel.host: agents would send their tokens in the clear to 10.0.0.1; add "behind_tls_proxy: true" under tunnel (tunnel.behind_tls_proxy: true) if a proxy in front ends TLS, or add tls with cert_file and key_file, or write "host: 127.0.0.1"',
      ],
      [
        'the health check as the path of the tunnel',
        withTunnel('host: 127.0.0.1, path: /healthz'),
        '</healthz> tunnel.path: /healthz is the health check of the tunnel port; write "/tunnel"',
      ],
      [
        'windows and buffers that do not fit into each other',
        withMore(
          'limits: { window_bytes: 2000000, max_window_bytes: 1000000, tunnel_buffer_bytes: 1900000, process_buffer_bytes: 1800000 }',
        ),
        '<1000000> limits.max_window_bytes: 1000000 is less than window_bytes (2000000); write at least 2000000, or a smaller window_bytes',
        '<1900000> limits.tunnel_buffer_bytes: 1900000 is less than window_bytes (2000000); write at least 2000000, or a smaller window_bytes',
        '<1800000> limits.process_buffer_bytes: 1800000 is less than tunnel_buffer_bytes (1900000); write at least 1900000, or a smaller tunnel_buffer_bytes',
      ],
      [
        'neither jwks_url nor jwks_file',
        withSecurity(''),
        '<security:> security.jwks_url: is missing, so no token could be verified; add "jwks_url: https://…" or "jwks_file: …" under security, or set NOWCONNECT_JWKS_URL',
      ],
      [
        'both jwks_url and jwks_file',
        withSecurity('jwks_url: "https://idp.example", jwks_file: k'),
        '<jwks_file:> security.jwks_file: stands beside jwks_url; remove one of them',
      ],
      [
        'a jwks_url over plain http',
        withSecurity('jwks_url: "http://idp.example/jwks"'),
        '<"http://idp.example/jwks"> security.jwks_url: is plain http beyond loopback, so whoever can change that traffic can let agents in; write https, or add "allow_http_jwks: true" under security (security.allow_http_jwks: true)',
      ],
      [
        'a proxy protocol that anybody may forge',
        withListener('connector: c, proxy_protocol: { accept: v1 }'),
        '<v1> listeners[0].proxy_protocol.accept: needs to know whose header to believe; add "trusted_cidrs: [10.0.0.0/8]" with the addresses of your load balancers',
      ],
    ]);

    for (const [title, text] of [
      ['a plain tunnel on localhost', withTunnel('host: localhost')],
      ['a plain tunnel on [::1]', withTunnel('host: "[::1]"')],
      ['a plain public tunnel behind a TLS proxy', withTunnel('behind_tls_proxy: true')],
      ['a public tunnel with TLS', withTunnel('tls: { cert_file: c, key_file: k }')],
      ['jwks_url over http on loopback', withSecurity('jwks_url: "http://127.0.0.1:1/jwks"')],
      [
        'one port on two addresses',
        two(
          '{ name: a, bind: "127.0.0.1:1", connector: c }',
          '{ name: b, bind: "127.0.0.2:1", connector: c }',
        ),
      ],
      [
        'one port on IPv4 and IPv6',
        two('{ name: a, bind: "127.0.0.1:1", connector: c }', '{ name: b, bind: "[::1]:1", connector: c }'),
      ],
      [
        'port 0 twice',
        two(
          '{ name: a, bind: "127.0.0.1:0", connector: c }',
          '{ name: b, bind: "127.0.0.1:0", connector: c }',
        ),
      ],
    ] as const) {
      it(`accepts ${title}`, () => expect(hub(text).warnings).to.deep.equal([]));
    }
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
