import { expect } from 'chai';

import { refusesEach, withListener, withMore, withSecurity, withTunnel } from './hub-fault-table.js';
import { hub, refusals, SMALL_HUB } from './support.js';

describe('loadHubConfig names place, fault and repair of values', () => {
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
