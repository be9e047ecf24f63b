import { expect } from 'chai';
import { parse, stringify } from 'yaml';
import { loadAgentConfig } from '../../../config/load-agent.js';
import { loadHubConfig } from '../../../config/load-hub.js';
import { allPages } from './markdown.js';

type Section = Readonly<Record<string, unknown>>;

/** What a part of a file is put into, so that it can be read by itself. */
const HUB_BASE = {
  listeners: [{ name: 'corp-ldap', bind: '0.0.0.0:389', connector: 'ldap' }],
  tunnel: { host: '127.0.0.1' },
  security: { jwks_file: '/etc/nowconnect/jwks.json' },
};
const AGENT_BASE = {
  tunnel: { url: 'wss://hub.example.com/tunnel', agent_id: 'site-a', auth: { token_file: 'agent.jwt' } },
  targets: { ldap: { host: 'dc1.corp.example', port: 389 } },
};

/** Sections of the part over those of the base, key by key; two key sources do not go together. */
function merged(base: Record<string, unknown>, text: string): string {
  const whole: Record<string, unknown> = { ...base };
  for (const [name, section] of Object.entries(parse(text) as Record<string, unknown>)) {
    whole[name] = Array.isArray(section) ? section : { ...(base[name] as Section), ...(section as Section) };
  }
  const security = { ...(whole['security'] as Section | undefined) };
  if ('jwks_url' in security) whole['security'] = { ...security, jwks_file: undefined };
  return stringify(whole);
}

const READERS: Readonly<Record<string, (text: string) => { readonly warnings: readonly unknown[] }>> = {
  'yaml hub': (text) => loadHubConfig({ file: 'hub.yaml', text, env: {} }),
  'yaml hub-part': (text) => loadHubConfig({ file: 'hub.yaml', text: merged(HUB_BASE, text), env: {} }),
  'yaml agent': (text) => loadAgentConfig({ file: 'agent.yaml', text, env: {} }),
  'yaml agent-part': (text) =>
    loadAgentConfig({ file: 'agent.yaml', text: merged(AGENT_BASE, text), env: {} }),
  'yaml prometheus': (text) => {
    parse(text);
    return { warnings: [] };
  },
};

describe('the YAML blocks of the documentation', () => {
  const blocks = allPages().flatMap(({ path, fences }) =>
    fences.filter(({ info }) => info.startsWith('yaml')).map((fence) => ({ path, ...fence })),
  );

  it('are many, and each says what it is for', () => {
    expect(blocks.length).to.be.above(20);
    expect(
      blocks.filter(({ info }) => !Object.hasOwn(READERS, info)).map(({ path, line }) => `${path}:${line}`),
    ).to.deep.equal([]);
  });

  for (const { path, line, info, text } of blocks) {
    it(`${path}:${line} is accepted without a warning`, () =>
      expect(READERS[info]?.(text).warnings).to.deep.equal([]));
  }
});
