import { expect } from 'chai';

import { agent, lines, refusals, SMALL_AGENT } from './support.js';

const withUrl = (url: string) => SMALL_AGENT.replace('wss://hub.example/tunnel', url);
const withTarget = (keys: string) => SMALL_AGENT.replace('host: dc1.example, port: 389', keys);
const withTunnel = (keys: string) => SMALL_AGENT.replace('targets:', `  ${keys}\ntargets:`);
const withMore = (more: string) => `${SMALL_AGENT}${more}\n`;
const URL_HINT = 'write a URL such as "wss://hub.example.com/tunnel"';

describe('loadAgentConfig names place, fault and repair', () => {
  const FAULTS = [
    [
      'a tunnel in plain text',
      withUrl('ws://hub.example'),
      `2:8: tunnel.url: is plain "ws:" to a host beyond loopback, so others could read the token and change the traffic; ${URL_HINT}`,
    ],
    [
      'an https URL',
      withUrl('https://hub.example'),
      `2:8: tunnel.url: starts with "https:", but the tunnel is a WebSocket ("wss:"); ${URL_HINT}`,
    ],
    ['a URL without a scheme', withUrl('hub.example'), `2:8: tunnel.url: is not a URL; ${URL_HINT}`],
    [
      'a URL with a password',
      withUrl('wss://u:p@hub.example'),
      `2:8: tunnel.url: holds a user name or a password, but the agent shows the token of tunnel.auth.token_file; ${URL_HINT}`,
    ],
    [
      'a URL with a fragment',
      withUrl('wss://hub.example/#x'),
      `2:8: tunnel.url: has a "#" part, which a WebSocket URL cannot have; ${URL_HINT}`,
    ],
    [
      'a missing URL',
      SMALL_AGENT.replace(/ {2}url.*\n/, ''),
      `1:1: tunnel.url: is missing; ${URL_HINT}, or set NC_AGENT_URL`,
    ],
    [
      'a missing token file',
      SMALL_AGENT.replace(/ {2}auth.*\n/, ''),
      '1:1: tunnel.auth.token_file: is missing; write the path of a file, or set NC_TOKEN_FILE',
    ],
    [
      'a token in the file',
      SMALL_AGENT.replace('token_file: /run/agent.jwt', 'token: S3CRET'),
      '4:11: tunnel.auth.token: unknown key; did you mean "token_file"?',
    ],
    [
      'an agent id with a blank',
      SMALL_AGENT.replace('site-a', '"site a"'),
      '3:13: tunnel.agent_id: has a form that is not allowed; write 1 to 128 printable ASCII characters without spaces',
    ],
    [
      'an agent id of 129 characters',
      SMALL_AGENT.replace('site-a', 'a'.repeat(129)),
      '3:13: tunnel.agent_id: has a form that is not allowed; write 1 to 128 printable ASCII characters without spaces',
    ],
    [
      'half a client certificate',
      withTunnel('cert_file: c.pem'),
      '5:3: tunnel.cert_file: needs key_file beside it; write the path of a file',
    ],
    [
      'the other half',
      withTunnel('key_file: k.pem'),
      '5:3: tunnel.key_file: needs cert_file beside it; write the path of a file',
    ],
    [
      'a connector without a target',
      withTunnel('exported_connectors: [ldap, db]'),
      '5:31: tunnel.exported_connectors[1]: the connector "db" has no target; set NC_TARGET_db_HOST and NC_TARGET_db_PORT, or add "db: { host: …, port: … }" under targets',
    ],
    [
      'a connector that is nearly a target',
      withTunnel('exported_connectors: [ldpa]'),
      '5:25: tunnel.exported_connectors[0]: the connector "ldpa" has no target; did you mean "ldap"? Otherwise set NC_TARGET_ldpa_HOST and NC_TARGET_ldpa_PORT, or add "ldpa: { host: …, port: … }" under targets',
    ],
    [
      'a connector exported twice',
      withTunnel('exported_connectors: [ldap, ldap]'),
      '5:31: tunnel.exported_connectors[1]: "ldap" is listed twice; remove one of them',
    ],
    [
      'nothing to export',
      SMALL_AGENT.replace(/targets:[^]*/, ''),
      '1:1: tunnel.exported_connectors: there is no connector to offer; write targets, or set NC_CONNECTORS and NC_TARGET_<name>_HOST and _PORT',
    ],
    [
      'an empty list of exports',
      withTunnel('exported_connectors: []'),
      '5:24: tunnel.exported_connectors: is an empty list; write a list of names that have an entry under targets',
    ],
    [
      'a target without a port',
      withTarget('host: dc1.example'),
      '6:3: targets.ldap.port: is missing; set NC_TARGET_ldap_PORT, or write "port: …" under targets.ldap',
    ],
    [
      'a target with host and endpoints',
      withTarget('host: dc1.example, endpoints: ["a:1"]'),
      '6:30: targets.ldap.endpoints: stands beside host or port; keep either endpoints or host and port',
    ],
    [
      'a target without a value',
      withTarget('').replace('{  }', ''),
      '6:3: targets.ldap: has no value; write { host: …, port: … }, or remove the line',
    ],
    [
      'a target port of 0',
      withTarget('host: dc1.example, port: 0'),
      '6:36: targets.ldap.port: 0 is too small; write a whole number from 1 to 65535',
    ],
    [
      'an endpoint without a port',
      withTarget('endpoints: ["a:1", b]'),
      '6:30: targets.ldap.endpoints[1]: "b" has no ":port"; write a host and a port such as "dc1.corp.example:636" or "[fd00::1]:636"',
    ],
    [
      'a target host with a port',
      withTarget('host: "dc1:389", port: 389'),
      '6:17: targets.ldap.host: "dc1:389" is not an IPv6 address; write a host name or an IP address without a port',
    ],
    [
      'a target whose name cannot be a connector',
      withMore('  "a b": { host: h, port: 1 }'),
      '7:3: targets["a b"]: this name is not allowed; write 1 to 64 of the characters A-Z a-z 0-9 . _ -',
    ],
    [
      'a target called __proto__',
      withMore('  __proto__: { host: h, port: 1 }'),
      '7:3: targets.__proto__: this name is not allowed; write 1 to 64 of the characters A-Z a-z 0-9 . _ -',
    ],
    [
      'a proxy without a scheme',
      withMore('proxy: { https_proxy: "proxy.example:3128" }'),
      '7:23: proxy.https_proxy: is not the http:// or https:// URL of a proxy; write a URL such as "http://proxy.corp.example:3128", or "" for none',
    ],
    [
      'health and metrics on one port',
      withMore('observability: { health_port: 9000, metrics_port: 9000 }'),
      '7:51: observability.metrics_port: 0.0.0.0:9000 is already taken by observability.health_port (0.0.0.0:9000); write another port or address',
    ],
    [
      'a hub key',
      withMore('listeners: []'),
      '7:1: listeners: unknown key; the keys here are tunnel, targets, limits, proxy and observability',
    ],
  ] as const;
  for (const [title, text, found] of FAULTS) {
    it(`refuses ${title}`, () => expect(refusals(() => agent(text))).to.deep.equal([`agent.yaml:${found}`]));
  }

  it('does not call a faulty value missing', () => {
    const text = `tunnel: 5
targets:
  a: { host: "a b", port: x }
  b: { endpoints: 5 }
  c: 5
`;
    expect(refusals(() => agent(text)).map((line) => line.split(':').slice(1, 4).join(':'))).to.deep.equal([
      '1:9: tunnel',
      '3:14: targets.a.host',
      '3:27: targets.a.port',
      '4:19: targets.b.endpoints',
      '5:6: targets.c',
    ]);
  });

  it('reports a list of targets once', () => {
    const found = refusals(() => agent(SMALL_AGENT.replace(/targets:[^]*/, 'targets: []\n')));
    expect(found).to.deep.equal([
      'agent.yaml:5:10: targets: must be a mapping, not a list; write a mapping from connector names to { host: …, port: … }',
    ]);
  });

  it('does not miss a target that is there but faulty', () => {
    const text = withTunnel('exported_connectors: [ldap]').replace('{ host: dc1.example, port: 389 }', '5');
    expect(refusals(() => agent(text))).to.have.length(1);
  });

  it('keeps quiet about a target that is not exported', () => {
    const text = withTunnel('exported_connectors: [ldap]') + '  spare: { host: h, port: 1 }\n';
    const { config, warnings } = agent(text);
    expect(lines(warnings)).to.deep.equal([]);
    expect(config.tunnel.exportedConnectors).to.deep.equal(['ldap']);
    expect(config.targets.has('spare')).to.be.true;
  });

  it('never repeats a credential of a proxy URL', () => {
    const found = refusals(() =>
      agent(withMore('proxy: { https_proxy: "socks5://user:S3CRET@proxy.example" }')),
    );
    expect(found.join()).to.include('proxy.https_proxy').and.not.include('S3CRET');
  });
});
