import { expect } from 'chai';
import fc from 'fast-check';

import { agentDocument, documentYaml, hubDocument } from '../../../config/effective.js';
import { agent, hub, SMALL_AGENT, SMALL_HUB } from './support.js';

const FULL_HUB = `
listeners:
  - { name: a, bind: "[::1]:389", connector: ldap, agents: [x], max_connections: 5, allow_cidrs: [10.0.0.1] }
  - { name: b, bind: "127.0.0.1:0", connector: db, proxy_protocol: { accept: v1, trusted_cidrs: [127.0.0.0/8] } }
tunnel: { tls: { cert_file: c, key_file: k, client_ca_file: ca } }
security: { jwks_url: "https://idp.example/jwks", issuer: me, allow_cidrs: [10.0.0.0/8] }
pdp: { url: "https://pdp.example/x" }
`;
const FULL_AGENT = `
tunnel: { url: "wss://hub.example", agent_id: a, auth: { token_file: t }, ca_file: ca, cert_file: c, key_file: k }
targets:
  one: { host: "::1", port: 389 }
  two: { endpoints: ["a:1", "[::1]:2"], connect_timeout_ms: 9 }
proxy: { https_proxy: "http://proxy.example:3128", trust_env: true }
`;

describe('the effective document', () => {
  for (const [title, text] of [
    ['a small hub', SMALL_HUB],
    ['a full hub', FULL_HUB],
  ] as const) {
    it(`of ${title} loads to the same configuration`, () => {
      const { config } = hub(text);
      const again = hub(documentYaml(hubDocument(config)));
      expect(again).to.deep.equal({ config, warnings: [] });
    });
  }

  for (const [title, text] of [
    ['a small agent', SMALL_AGENT],
    ['a full agent', FULL_AGENT],
  ] as const) {
    it(`of ${title} loads to the same configuration`, () => {
      const { config } = agent(text);
      const again = agent(documentYaml(agentDocument(config)));
      expect(again).to.deep.equal({ config, warnings: [] });
    });
  }

  it('has the key names of the file and every default', () => {
    const document = hubDocument(hub(SMALL_HUB).config);
    expect(Object.keys(document)).to.deep.equal([
      'listeners',
      'tunnel',
      'limits',
      'security',
      'pdp',
      'observability',
    ]);
    expect(document.listeners[0]).to.deep.equal({
      name: 'a',
      bind: '127.0.0.1:389',
      connector: 'ldap',
      allow_cidrs: [],
      idle_timeout_ms: 0,
      wait_for_agent_ms: 3000,
      proxy_protocol: { accept: 'off', trusted_cidrs: [], send: 'off' },
    });
    expect(document.security).to.not.have.any.keys('issuer', 'jwks_url');
  });

  it('is the same as JSON and as YAML', () => {
    const document = agentDocument(agent(FULL_AGENT).config);
    const fromJson: unknown = JSON.parse(JSON.stringify(document));
    expect(fromJson).to.deep.equal(document);
  });

  it('shows no credential of any URL', () => {
    const hubText = FULL_HUB.replace(
      'https://idp.example/jwks',
      'https://u:S3CRET@idp.example/jwks?key=S3CRET',
    ).replace('https://pdp.example/x', 'https://u:S3CRET@pdp.example/x');
    const agentText = FULL_AGENT.replace('http://proxy', 'http://u:S3CRET@proxy').replace(
      'wss://hub.example',
      'wss://hub.example/tunnel?key=S3CRET',
    );
    const shown = [
      documentYaml(hubDocument(hub(hubText).config)),
      documentYaml(agentDocument(agent(agentText).config)),
    ];
    for (const text of shown) expect(text).to.include('***').and.not.include('S3CRET');
  });

  it('shows no password of a proxy, whatever characters it has', () => {
    const passwords = fc.string({ maxLength: 12 }).map((text) => `S3CRET${encodeURIComponent(text)}S3CRET`);
    fc.assert(
      fc.property(passwords, (password) => {
        const text = FULL_AGENT.replace('http://proxy', `http://u:${password}@proxy`);
        expect(documentYaml(agentDocument(agent(text).config))).to.not.include('S3CRET');
      }),
      { numRuns: 30 },
    );
  });
});
