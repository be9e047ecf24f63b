import { readFileSync } from 'node:fs';

import { Ajv } from 'ajv';
import { expect } from 'chai';
import { parse } from 'yaml';

import { agentSchema } from '../../../config/schema-agent.js';
import { hubSchema } from '../../../config/schema-hub.js';
import type { SchemaNode } from '../../../config/schema-node.js';
import { SMALL_AGENT, SMALL_HUB } from './support.js';

interface Key {
  readonly name: string;
  readonly node: SchemaNode;
}

function* keysOf(node: SchemaNode, prefix = ''): Generator<Key> {
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    yield { name: `${prefix}${key}`, node: child };
    yield* keysOf(child, `${prefix}${key}.`);
  }
  if (node.items !== undefined) yield* keysOf(node.items, `${prefix}[].`);
  if (typeof node.additionalProperties === 'object')
    yield* keysOf(node.additionalProperties, `${prefix}<name>.`);
}

const SCHEMAS = [
  ['hub', hubSchema],
  ['agent', agentSchema],
] as const;

describe('the schemas', () => {
  for (const [name, schema] of SCHEMAS) {
    const keys = [...keysOf(schema)];

    it(`of the ${name} describe every key`, () =>
      expect(keys.filter(({ node }) => (node.description ?? '') === '').map((key) => key.name)).to.deep.equal(
        [],
      ));

    it(`of the ${name} bound every number, list and free text`, () => {
      const unbounded = keys.filter(({ node }) => {
        if (node.deprecated === true || node.enum !== undefined || node.const !== undefined) return false;
        if (node.type === 'integer') return node.minimum === undefined || node.maximum === undefined;
        if (node.type === 'array') return node.maxItems === undefined;
        if (node.type === 'string') {
          // A host, a bind or a name cannot be longer than its own rules allow.
          const hasOwnBound = node.pattern !== undefined || ['host', 'bind'].includes(node.format ?? '');
          return node.maxLength === undefined && !hasOwnBound;
        }
        return false;
      });
      expect(unbounded.map((key) => key.name)).to.deep.equal([]);
    });

    it(`of the ${name} have the unit of a number in its name`, () => {
      const endings = { milliseconds: /_ms$/, seconds: /_sec$/, bytes: /_bytes$|^tunnel\.max_ws_payload$/ };
      const wrong = keys.filter(
        ({ name: key, node }) => node['x-unit'] && !endings[node['x-unit']].test(key),
      );
      expect(wrong.map((key) => key.name)).to.deep.equal([]);
      const unmarked = keys.filter(
        ({ name: key, node }) => /_(ms|sec|bytes)$/.test(key) && node['x-unit'] === undefined,
      );
      expect(unmarked.map((key) => key.name)).to.deep.equal([]);
    });

    it(`of the ${name} refuse unknown keys everywhere but in what is ignored`, () => {
      const open = [{ name: '', node: schema as SchemaNode }, ...keys].filter(
        ({ node }) =>
          node.type === 'object' && node.additionalProperties !== false && node.deprecated !== true,
      );
      expect(open.map((key) => key.name)).to.deep.equal(name === 'agent' ? ['targets'] : []);
    });
  }
});

describe('a foreign validator with the published schemas', () => {
  const validator = (name: string) => {
    const schema = JSON.parse(readFileSync(`docs/reference/schema/${name}.schema.json`, 'utf8')) as object;
    // Our formats and annotations mean nothing to it.
    return new Ajv({ strict: false, validateFormats: false }).compile(schema);
  };
  const isValid = (name: string, text: string): boolean => validator(name)(parse(text));

  it('accepts complete files', () => {
    expect(isValid('hub', SMALL_HUB)).to.be.true;
    expect(isValid('agent', SMALL_AGENT)).to.be.true;
  });
  it('accepts a log level in capitals', () =>
    expect(isValid('hub', `${SMALL_HUB}observability: { log_level: WARNING }`)).to.be.true);
  it('refuses an unknown key', () => expect(isValid('hub', `${SMALL_HUB}zebra: 1`)).to.be.false);
  it('refuses a hub without keys for tokens, or with two sources of them', () => {
    expect(isValid('hub', SMALL_HUB.replace('jwks_file: /keys/jwks.json', ''))).to.be.false;
    expect(isValid('hub', SMALL_HUB.replace('jwks_file: ', 'jwks_url: "https://a", jwks_file: '))).to.be
      .false;
  });
  it('refuses a target with both forms of address, or none', () => {
    const HOST = 'host: dc1.example, port: 389';
    expect(isValid('agent', SMALL_AGENT.replace(HOST, `${HOST}, endpoints: ["a:1"]`))).to.be.false;
    expect(isValid('agent', SMALL_AGENT.replace(HOST, ''))).to.be.false;
    expect(isValid('agent', SMALL_AGENT.replace(HOST, 'endpoints: ["a:1"]'))).to.be.true;
  });
});
