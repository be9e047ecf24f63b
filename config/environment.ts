/** Environment variables over the file, for every key that the schema gives a variable (`x-env`). */

import { mappingUnder, setOwn, type Mapping } from './plain-data.js';
import type { Report } from './report.js';
import { fixedKeys, type SchemaNode } from './schema-node.js';
import type { KeyPath } from './text.js';

/** What `process.env` is. A variable that is set to nothing counts as not set. */
export type Environment = Readonly<Record<string, string | undefined>>;

const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  1: true,
  yes: true,
  false: false,
  0: false,
  no: false,
};

/** The variable's text without surrounding blanks; undefined when it is not set or empty. */
export function readVariable(env: Environment, variable: string): string | undefined {
  const text = env[variable]?.trim();
  return text === '' ? undefined : text;
}

/**
 * Writes the variables' values into the data.
 * @param environmentOnly there is no file, so findings about a key name its variable.
 */
export function applyEnvironment(
  data: Mapping,
  schema: SchemaNode,
  env: Environment,
  report: Report,
  environmentOnly: boolean,
): void {
  for (const { path, node } of fixedKeys(schema)) {
    const variable = node['x-env'];
    if (variable === undefined) continue;
    if (environmentOnly) report.cameFrom(path, variable);
    const text = readVariable(env, variable);
    if (text === undefined) continue;
    report.cameFrom(path, variable);
    const value = parseVariable(path, text, node, report);
    if (value === undefined) continue;
    const parent = path
      .slice(0, -1)
      .reduce<Mapping | undefined>((within, key) => within && mappingUnder(within, key), data);
    // Not a mapping: the schema reports the parent itself.
    if (parent === undefined) continue;
    setOwn(parent, path.at(-1) ?? '', value);
  }
}

/** A whole number, or undefined after reporting why not. */
export function parseInteger(path: KeyPath, text: string, report: Report): number | undefined {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  report.error(path, 'must be a whole number', 'write digits only');
  return undefined;
}

function parseVariable(path: KeyPath, text: string, node: SchemaNode, report: Report): unknown {
  switch (node.type) {
    case 'boolean': {
      const value = BOOLEANS[text.toLowerCase()];
      if (value === undefined) {
        report.error(path, 'must be true or false', 'write true, false, 1, 0, yes or no');
      }
      return value;
    }
    case 'integer':
      return parseInteger(path, text, report);
    case 'array':
      return text
        .split(',')
        .map((entry) => entry.trim())
        .filter((entry) => entry !== '');
    default:
      return text;
  }
}
