/** Spellings that the schema does not list but operators use. */

import { isMapping, setOwn } from './plain-data.js';
import type { SchemaNode } from './schema-node.js';

const WORDS: Readonly<Record<string, boolean>> = { yes: true, on: true, no: false, off: false };

/**
 * Changes the data in place, guided by the schema: log levels in any case and by their other names;
 * `yes`, `no`, `on` and `off` where true or false is wanted (YAML 1.1, which older files were written for, reads
 * them so); a section without content is the section with its defaults.
 */
export function normalize(data: unknown, schema: SchemaNode): void {
  if (Array.isArray(data)) {
    const { items } = schema;
    if (items === undefined) return;
    for (const [index, entry] of (data as unknown[]).entries()) {
      data[index] = normalizeValue(entry, items);
      normalize(entry, items);
    }
  } else if (isMapping(data)) {
    for (const [key, value] of Object.entries(data)) {
      const child = childOf(schema, key);
      if (child === undefined) continue;
      if (value === null && (isMapping(child.default) || child.deprecated === true)) {
        // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- the schema's default takes its place
        delete data[key];
        continue;
      }
      setOwn(data, key, normalizeValue(value, child));
      normalize(value, child);
    }
  }
}

function childOf(schema: SchemaNode, key: string): SchemaNode | undefined {
  const { properties = {}, additionalProperties } = schema;
  if (Object.hasOwn(properties, key)) return properties[key];
  return typeof additionalProperties === 'object' ? additionalProperties : undefined;
}

function normalizeValue(value: unknown, node: SchemaNode): unknown {
  if (typeof value !== 'string') return value;
  const lower = value.toLowerCase();
  if (node.type === 'boolean') return Object.hasOwn(WORDS, lower) ? WORDS[lower] : value;
  if (node['x-ignore-case'] !== true) return value;
  const aliases = node['x-aliases'] ?? {};
  return Object.hasOwn(aliases, lower) ? aliases[lower] : node.enum?.includes(lower) === true ? lower : value;
}
