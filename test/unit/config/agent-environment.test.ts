import { expect } from 'chai';

import { agent, agentFromEnvironment, lines, refusals, SMALL_AGENT, SMALL_ENVIRONMENT } from './support.js';

const load = (more: Readonly<Record<string, string>>) =>
  agentFromEnvironment({ ...SMALL_ENVIRONMENT, ...more });

describe('the agent environment alone', () => {
  it('takes every variable', () => {
    const { config, warnings } = load({
      NC_CONNECTORS: ' ldap , sap-db.prod ,',
      NC_TARGET_sap_db_prod_HOST: '::1',
      NC_TARGET_sap_db_prod_PORT: '1433',
      NC_LOG_LEVEL: 'WARNING',
      NC_LOG_FORMAT: 'JSON',
      NC_TRUST_ENV: 'TRUE',
      NC_CA_BUNDLE: '/etc/ssl/corp.pem',
      NC_HEALTH_HOST: '127.0.0.1',
      NC_HEALTH_PORT: '0',
    });
    expect(warnings).to.deep.equal([]);
    expect(config.tunnel.exportedConnectors).to.deep.equal(['ldap', 'sap-db.prod']);
    expect(config.targets.get('sap-db.prod')?.endpoints).to.deep.equal([{ host: '::1', port: 1433 }]);
    expect(config.proxy).to.include({ trustEnv: true, caBundle: '/etc/ssl/corp.pem' });
    expect(config.observability).to.deep.equal({
      healthHost: '127.0.0.1',
      healthPort: 0,
      metricsPort: 0,
      logLevel: 'warn',
      logFormat: 'json',
    });
  });

  it('names every variable that is missing, at once', () =>
    expect(refusals(() => agentFromEnvironment({}))).to.deep.equal([
      'environment: NC_AGENT_URL: is missing; write a URL such as "wss://hub.example.com/tunnel"',
      'environment: NC_AGENT_ID: is missing; write 1 to 128 printable ASCII characters without spaces',
      'environment: NC_TOKEN_FILE: is missing; write the path of a file',
      'environment: NC_CONNECTORS: there is no connector to offer; write targets, or set NC_CONNECTORS and NC_TARGET_<name>_HOST and _PORT',
    ]));

  const FAULTS = [
    [
      'a connector without a target',
      { NC_CONNECTORS: 'ldap,db' },
      'NC_CONNECTORS: the connector "db" has no target; set NC_TARGET_db_HOST and NC_TARGET_db_PORT, or add "db: { host: …, port: … }" under targets',
    ],
    [
      'a connector without a target, - and . written _',
      { NC_CONNECTORS: 'ldap,e-db.1' },
      'NC_CONNECTORS: the connector "e-db.1" has no target; set NC_TARGET_e_db_1_HOST and NC_TARGET_e_db_1_PORT, or add "e-db.1: { host: …, port: … }" under targets',
    ],
    [
      'a target without a port',
      { NC_TARGET_ldap_PORT: '' },
      'NC_TARGET_ldap_PORT: is missing beside NC_TARGET_ldap_HOST; set NC_TARGET_ldap_PORT, or write "port: …" under targets.ldap',
    ],
    [
      'a target without a host',
      { NC_TARGET_ldap_HOST: ' ' },
      'NC_TARGET_ldap_HOST: is missing beside NC_TARGET_ldap_PORT; set NC_TARGET_ldap_HOST, or write "host: …" under targets.ldap',
    ],
    [
      'a port that is no number',
      { NC_TARGET_ldap_PORT: 'ldap' },
      'NC_TARGET_ldap_PORT: must be a whole number; write digits only',
    ],
    [
      'a port out of range',
      { NC_TARGET_ldap_PORT: '65536' },
      'NC_TARGET_ldap_PORT: 65536 is too large; write a whole number from 1 to 65535',
    ],
    [
      'a host with a port',
      { NC_TARGET_ldap_HOST: 'dc1:389' },
      'NC_TARGET_ldap_HOST: "dc1:389" is not an IPv6 address; write a host name or an IP address without a port',
    ],
    [
      'two connectors with the same variables',
      { NC_CONNECTORS: 'a-b,a.b', NC_TARGET_a_b_HOST: 'h', NC_TARGET_a_b_PORT: '1' },
      'NC_TARGET_a_b_HOST: belongs to 2 connectors: "a-b" and "a.b"; rename one of them, or write their targets in a file and unset the variable',
    ],
    [
      'two connectors with the same variables, neither of them set',
      { NC_CONNECTORS: 'a-b,a.b' },
      'NC_TARGET_a_b_HOST: belongs to 2 connectors: "a-b" and "a.b"; rename one of them, or write their targets in a file and unset the variable',
    ],
    [
      'a plain tunnel',
      { NC_AGENT_URL: 'ws://hub.example/tunnel' },
      'NC_AGENT_URL: is plain "ws:" to a host beyond loopback, so others could read the token and change the traffic; write a URL such as "wss://hub.example.com/tunnel"',
    ],
    [
      'an unknown log level',
      { NC_LOG_LEVEL: 'loud' },
      'NC_LOG_LEVEL: "loud" is not known here; write debug, info, warn or error',
    ],
    [
      'an unknown log format',
      { NC_LOG_FORMAT: 'xml' },
      'NC_LOG_FORMAT: "xml" is not known here; write json or plain',
    ],
    [
      'a doubtful boolean',
      { NC_TRUST_ENV: 'si' },
      'NC_TRUST_ENV: must be true or false; write true, false, 1, 0, yes or no',
    ],
    [
      'a health port out of range',
      { NC_HEALTH_PORT: '70000' },
      'NC_HEALTH_PORT: 70000 is too large; write a whole number from 0 to 65535',
    ],
    [
      'a list of nothing',
      { NC_CONNECTORS: ',' },
      'NC_CONNECTORS: is an empty list; write a list of names that have an entry under targets',
    ],
    [
      'a connector name that is not allowed',
      { NC_CONNECTORS: 'ldap,a b', NC_TARGET_a: '' },
      'NC_CONNECTORS: has a form that is not allowed; write 1 to 64 of the characters A-Z a-z 0-9 . _ -',
    ],
  ] as const;
  for (const [title, env, found] of FAULTS) {
    it(`refuses ${title}`, () => expect(refusals(() => load(env))).to.include(`environment: ${found}`));
  }

  it('reports only the shared variables of two connectors, not their missing targets too', () =>
    expect(refusals(() => load({ NC_CONNECTORS: 'ldap,a-b,a.b' }))).to.have.length(1));

  it('names the misspelt variable beside the target that is missing because of it', () => {
    const found = refusals(() =>
      load({ NC_CONNECTORS: 'ldap,db', NC_TARGET_DB_HOST: 'h', NC_TARGET_DB_PORT: '1' }),
    );
    expect(found.map((line) => line.split(': ').slice(1).join(': '))).to.deep.equal([
      'NC_CONNECTORS: the connector "db" has no target; set NC_TARGET_db_HOST and NC_TARGET_db_PORT, or add "db: { host: …, port: … }" under targets',
      'NC_TARGET_DB_HOST: belongs to no connector and has no effect; did you mean NC_TARGET_db_HOST?',
      'NC_TARGET_DB_PORT: belongs to no connector and has no effect; did you mean NC_TARGET_db_PORT?',
    ]);
  });

  it('warns about a target variable of no connector', () => {
    const { warnings } = load({
      NC_TARGET_ldpa_HOST: 'h',
      NC_TARGET_zebra_PORT: '1',
      NC_TARGET_ldap_HOTS: 'h',
      NC_TARGET_empty_HOST: '',
    });
    expect(lines(warnings)).to.deep.equal([
      'environment: NC_TARGET_ldap_HOTS: belongs to no connector and has no effect; did you mean NC_TARGET_ldap_HOST?',
      'environment: NC_TARGET_ldpa_HOST: belongs to no connector and has no effect; did you mean NC_TARGET_ldap_HOST?',
      'environment: NC_TARGET_zebra_PORT: belongs to no connector and has no effect; add its connector to NC_CONNECTORS or unset it',
    ]);
  });
});

describe('the agent environment over its file', () => {
  it('wins for host and port, each on its own', () => {
    const host = agent(SMALL_AGENT, { NC_TARGET_ldap_HOST: 'dc9.example' }).config.targets.get('ldap');
    expect(host?.endpoints).to.deep.equal([{ host: 'dc9.example', port: 389 }]);
    const port = agent(SMALL_AGENT, { NC_TARGET_ldap_PORT: '3890' }).config.targets.get('ldap');
    expect(port?.endpoints).to.deep.equal([{ host: 'dc1.example', port: 3890 }]);
  });

  it('replaces a list of endpoints', () => {
    const text = SMALL_AGENT.replace(
      'host: dc1.example, port: 389',
      'endpoints: ["a:1", "b:2"], connect_timeout_ms: 7',
    );
    const { config } = agent(text, { NC_TARGET_ldap_HOST: 'c', NC_TARGET_ldap_PORT: '3' });
    expect(config.targets.get('ldap')).to.deep.equal({
      endpoints: [{ host: 'c', port: 3 }],
      connectTimeoutMs: 7,
    });
  });

  it('replaces the list of exports and adds targets', () => {
    const { config } = agent(SMALL_AGENT, {
      NC_CONNECTORS: 'db',
      NC_TARGET_db_HOST: 'h',
      NC_TARGET_db_PORT: '1',
    });
    expect(config.tunnel.exportedConnectors).to.deep.equal(['db']);
    expect([...config.targets.keys()]).to.deep.equal(['ldap', 'db']);
  });

  it('changes one target only, even when the file gives two of them through one anchor', () => {
    const text = SMALL_AGENT.replace('ldap: {', 'ldap: &dc {') + '  gc: *dc\n';
    const { config } = agent(text, { NC_TARGET_ldap_HOST: 'elsewhere' });
    expect(config.targets.get('gc')?.endpoints).to.deep.equal([{ host: 'dc1.example', port: 389 }]);
  });

  it('lets two names share their variables while the file gives both targets and none is set', () => {
    const text = `${SMALL_AGENT}  a-b: { host: h, port: 1 }\n  a.b: { host: h, port: 2 }\n`;
    expect(agent(text).config.targets.size).to.equal(3);
    expect(refusals(() => agent(text, { NC_TARGET_a_b_PORT: '3' }))).to.deep.equal([
      'environment: NC_TARGET_a_b_HOST: belongs to 2 connectors: "a-b" and "a.b"; rename one of them, or write their targets in a file and unset the variable',
    ]);
  });

  it('reports a target that is no mapping once', () => {
    const text = SMALL_AGENT.replace('{ host: dc1.example, port: 389 }', '5');
    expect(refusals(() => agent(text, { NC_TARGET_ldap_HOST: 'h', NC_TARGET_ldap_PORT: '1' }))).to.deep.equal(
      ['agent.yaml:6:9: targets.ldap: must be a mapping, not 5; write { host: …, port: … }'],
    );
  });
});
