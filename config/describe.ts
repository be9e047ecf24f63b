/** The reference page of the configuration, written from the schemas. */

import { agentSchema } from './schema-agent.js';
import { hubSchema } from './schema-hub.js';
import { choices, type FormatName, type SchemaNode } from './schema-node.js';

interface Row {
  /** `listeners[].bind`, `targets.<connector>.port`. */
  readonly key: string;
  readonly node: SchemaNode;
  readonly isRequired: boolean;
}

const FORMAT_WORDS: Readonly<Record<FormatName, string>> = {
  host: 'host name or IP address',
  bind: '`address:port`',
  'host-port': '`host:port`',
  cidr: 'CIDR range or address',
  'agent-url': '`wss://` URL',
  'http-url': '`https://` or `http://` URL',
  'proxy-url': '`http://` or `https://` URL',
};

const INTRODUCTION = `# Configuration

This page is generated from the JSON Schemas in [schema/](schema/): change \`config/schema-*.ts\`, not this page.
\`nowconnect schema hub|agent\` prints the schemas; \`nowconnect check hub|agent FILE\` checks a file and prints what it
amounts to, with defaults filled in and credentials masked.

- A file is one YAML 1.2 document in UTF-8, at most 1 MiB. Unknown keys and keys given twice are errors.
- Every finding names file, line, column and key and says what to write. A file with errors ends the command with exit
  code 78; a reload with errors keeps the configuration that is running.
- Environment variables win over the file. A variable that is set to nothing counts as not set. Booleans are \`true\`,
  \`false\`, \`1\`, \`0\`, \`yes\` or \`no\` in any case; lists are separated by commas.
- *Older* in the last column: the key is part of the older NowConnect's files (\`cloud.yaml\`, \`premise.yaml\`) and means
  the same here.
`;

const HUB_NOTES = `The file is named by \`--config\`, else by \`NC_CONFIG\`.

Two things that older files do are refused until one line says that they are meant:

| Older file | Line to add | Why |
|---|---|---|
| plain \`ws\` on an address beyond loopback | \`behind_tls_proxy: true\` under \`tunnel\` | agents would send their tokens in the clear |
| \`jwks_url\` over \`http\` beyond loopback | \`allow_http_jwks: true\` under \`security\` | whoever changes that traffic can let agents in |
`;

const AGENT_NOTES = `The file is named by \`--config\`, else by \`NC_CONFIG\`. Without a file the environment alone is enough:

\`\`\`sh
NC_AGENT_URL=wss://hub.example.com/tunnel
NC_AGENT_ID=site-a
NC_TOKEN_FILE=/run/secrets/agent.jwt
NC_CONNECTORS=ldap,db
NC_TARGET_ldap_HOST=dc1.corp.example
NC_TARGET_ldap_PORT=389
NC_TARGET_db_HOST=db.corp.example
NC_TARGET_db_PORT=5432
\`\`\`

A connector name keeps its case in a variable's name; \`-\` and \`.\` are written \`_\`. Two connectors whose names come out
equal are an error, unless a file gives both targets. Every exported connector needs a target; a target that is not
exported is never dialled.
`;

/** The whole page, Markdown. */
export function configurationReference(): string {
  return [
    INTRODUCTION,
    '## Hub\n',
    HUB_NOTES,
    ...daemonTables(hubSchema),
    '## Agent\n',
    AGENT_NOTES,
    ...daemonTables(agentSchema),
  ].join('\n');
}

function daemonTables(schema: SchemaNode): string[] {
  const rows = [...schemaRows(schema)];
  const current = rows.filter(({ node }) => node.deprecated !== true);
  const sections = Object.entries(schema.properties ?? {})
    .filter(([, node]) => node.deprecated !== true)
    .map(([name, node]) => sectionTable(name, node, current));
  return [...sections, environmentTable(current), deprecatedTable(rows)];
}

function sectionTable(name: string, node: SchemaNode, rows: readonly Row[]): string {
  const lines = rows
    .filter(({ key }) => key.startsWith(`${name}.`) || key.startsWith(`${name}[`))
    .map(({ key, node: child, isRequired }) => {
      const standard = isRequired ? '**required**' : defaultText(child);
      const origin = child['x-older'] === true ? 'older' : 'new';
      return `| \`${key}\` | ${valueText(child)} | ${standard} | ${child.description ?? ''} | ${origin} |`;
    });
  return [
    `### \`${name}\`\n`,
    `${node.description ?? ''}\n`,
    '| Key | Value | Default | Meaning | Origin |',
    '|---|---|---|---|---|',
    ...lines,
    '',
  ].join('\n');
}

function environmentTable(rows: readonly Row[]): string {
  const lines = rows.flatMap(({ key, node }) =>
    node['x-env'] === undefined ? [] : [`| \`${node['x-env']}\` | \`${key}\` |`],
  );
  return ['### Environment\n', '| Variable | Key |', '|---|---|', ...lines, ''].join('\n');
}

function deprecatedTable(rows: readonly Row[]): string {
  const lines = rows
    .filter(({ node }) => node.deprecated === true)
    .map(({ key, node }) => `| \`${key}\` | ${node.description ?? ''} |`);
  return [
    '### Accepted from older files, with a warning\n',
    '| Key | What happens |',
    '|---|---|',
    ...lines,
    '',
  ].join('\n');
}

/** Every key in the order of the schema; a section with keys of its own has no row, but its keys have. */
function* schemaRows(schema: SchemaNode, prefix = ''): Generator<Row> {
  for (const [name, node] of Object.entries(schema.properties ?? {})) {
    const key = prefix === '' ? name : `${prefix}.${name}`;
    const inner = innerNode(key, node);
    if (inner === undefined || node.deprecated === true) {
      yield { key, node, isRequired: schema.required?.includes(name) === true };
    } else {
      yield* schemaRows(inner.node, inner.prefix);
    }
  }
}

function innerNode(key: string, node: SchemaNode): { prefix: string; node: SchemaNode } | undefined {
  const { properties, items, additionalProperties } = node;
  if (properties !== undefined) return { prefix: key, node };
  if (items?.properties !== undefined) return { prefix: `${key}[]`, node: items };
  if (typeof additionalProperties === 'object') {
    return { prefix: `${key}.${additionalProperties['x-name'] ?? '<name>'}`, node: additionalProperties };
  }
  return undefined;
}

function valueText(node: SchemaNode): string {
  if (node.type === 'array') return `list of ${valueText(node.items ?? {})}`;
  if (node.enum !== undefined) return choices(node).map(code).join(', ');
  if (node.type === 'integer') {
    const unit = node['x-unit'] === undefined ? '' : ` ${node['x-unit']}`;
    return `${node.minimum ?? 0} to ${node.maximum ?? '…'}${unit}`;
  }
  if (node.type === 'boolean') return '`true`, `false`';
  return node.format === undefined ? 'text' : FORMAT_WORDS[node.format];
}

function defaultText(node: SchemaNode): string {
  const { default: value } = node;
  if (value === undefined) return '–';
  if (typeof value === 'string') return code(value === '' ? '""' : value);
  if (Array.isArray(value)) return code(`[${value.join(', ')}]`);
  return code(JSON.stringify(value));
}

function code(text: string): string {
  return `\`${text}\``;
}
