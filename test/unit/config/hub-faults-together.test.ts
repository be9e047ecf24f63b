import { expect } from 'chai';

import { refusesEach, withListener, withMore, withSecurity, withTunnel } from './hub-fault-table.js';
import { hub, SMALL_HUB } from './support.js';

describe('loadHubConfig names place, fault and repair of keys together', () => {
  const two = (first: string, second: string, more = '') =>
    `listeners:\n  - ${first}\n  - ${second}\ntunnel: { host: 127.0.0.1 }\nsecurity: { jwks_file: k }\n${more}`;

  refusesEach([
    [
      'two listeners of one name',
      two('{ name: a, bind: "127.0.0.1:1", connector: c }', '{ name: a, bind: "127.0.0.1:2", connector: c }'),
      '<a, bind: "127.0.0.1:2> listeners[1].name: "a" is already the name of listeners[0]; write another name',
    ],
    [
      'two listeners on one address',
      two('{ name: a, bind: "127.0.0.1:1", connector: c }', '{ name: b, bind: "127.0.0.1:1", connector: d }'),
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
      two('{ name: a, bind: "127.0.0.1:1", connector: c }', '{ name: b, bind: "127.0.0.2:1", connector: c }'),
    ],
    [
      'one port on IPv4 and IPv6',
      two('{ name: a, bind: "127.0.0.1:1", connector: c }', '{ name: b, bind: "[::1]:1", connector: c }'),
    ],
    [
      'port 0 twice',
      two('{ name: a, bind: "127.0.0.1:0", connector: c }', '{ name: b, bind: "127.0.0.1:0", connector: c }'),
    ],
  ] as const) {
    it(`accepts ${title}`, () => expect(hub(text).warnings).to.deep.equal([]));
  }
});
