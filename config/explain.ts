/** Turns a fault of the schema into what is wrong and what to write instead. */

import { didYouMean } from './did-you-mean.js';
import { formatFault } from './formats.js';
import { choices, fixedKeys, type SchemaNode } from './schema-node.js';
import { formatPath, listWords, quote, type KeyPath } from './text.js';
import type { SchemaFault } from './validate.js';

export interface Explanation {
  readonly path: KeyPath;
  /** Which part of the path the operator has to look at. */
  readonly part: 'key' | 'value';
  readonly message: string;
  readonly hint: string;
  /** The environment variable that could give the missing value. */
  readonly variable?: string | undefined;
  /** The key that an unknown one probably stands for. */
  readonly meant?: KeyPath | undefined;
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  object: 'a mapping',
  array: 'a list',
  string: 'text',
  integer: 'a whole number',
  boolean: 'true or false',
};

/** @param root the whole schema, to find the place of a key that stands in the wrong one. */
export function explainFault(fault: SchemaFault, root: SchemaNode): Explanation {
  const { path, node, value, key = '' } = fault;
  const about = (message: string, hint: string): Explanation => ({ path, part: 'value', message, hint });
  switch (fault.keyword) {
    case 'additionalProperties':
      return explainUnknown(fault, key, root);
    case 'propertyNames':
      return { path: [...path, key], part: 'key', message: 'this name is not allowed', hint: hintFor(node) };
    case 'required':
      return { path: [...path, key], part: 'key', message: 'is missing', ...missing(node, key) };
    case 'dependencies':
      return {
        path: [...path, fault.dependent ?? key],
        part: 'key',
        message: `needs ${key} beside it`,
        ...missing(node, key),
      };
    case 'type':
      return about(typeMessage(node, value), typeHint(node, value));
    case 'enum':
      return about(`${quote(value)} is not known here`, enumHint(node, value));
    case 'const':
      return about(`${quote(value)} is not supported`, hintFor(node));
    case 'minimum':
      return about(`${quote(value)} is too small`, rangeHint(node));
    case 'maximum':
      return about(`${quote(value)} is too large`, rangeHint(node));
    case 'minLength':
      return about('is empty', hintFor(node));
    case 'maxLength':
      return about(`is longer than ${node.maxLength ?? 0} characters`, hintFor(node));
    case 'minItems':
      return about('is an empty list', hintFor(node));
    case 'maxItems':
      return about('has too many entries', `write at most ${node.maxItems ?? 0}`);
    case 'maxProperties':
      return about('has too many entries', `write at most ${node.maxProperties ?? 0}`);
    case 'format':
      return about(formatMessage(node, value), hintFor(node));
    default:
      // The value is not repeated: somebody may have put a key or a token where its file's name belongs.
      return about('has a form that is not allowed', hintFor(node));
  }
}

function explainUnknown({ path, node }: SchemaFault, key: string, root: SchemaNode): Explanation {
  const found = { path: [...path, key], part: 'key', message: 'unknown key' } as const;
  const known = Object.entries(node.properties ?? {})
    .filter(([, child]) => child.deprecated !== true)
    .map(([name]) => name);
  const near = didYouMean(key, known);
  if (near !== undefined) return { ...found, hint: `did you mean ${quote(near)}?`, meant: [...path, near] };
  const elsewhere = [...fixedKeys(root)].filter(({ path }) => path.at(-1) === key);
  if (elsewhere.length > 0) {
    const places = elsewhere.map(({ path }) =>
      path.length > 1 ? formatPath(path.slice(0, -1)) : 'the top level',
    );
    return { ...found, hint: `it belongs under ${listWords(places)}` };
  }
  return { ...found, hint: `the keys here are ${listWords(known, 'and')}` };
}

function missing(node: SchemaNode, key: string): Pick<Explanation, 'hint' | 'variable'> {
  const child = node.properties?.[key] ?? {};
  return { hint: child['x-hint'] ?? `write "${key}: …"`, variable: child['x-env'] };
}

function typeMessage(node: SchemaNode, value: unknown): string {
  if (value === null || value === undefined) return 'has no value';
  const wanted = TYPE_WORDS[node.type ?? ''] ?? 'something else';
  return `must be ${wanted}, not ${wordFor(value)}`;
}

function wordFor(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  switch (typeof value) {
    case 'object':
      return 'a mapping';
    case 'string':
      return 'text';
    default:
      return String(value);
  }
}

function typeHint(node: SchemaNode, value: unknown): string {
  const hint = hintFor(node);
  if (value === null && !hint.includes('remove')) return `${hint}, or remove the line`;
  if (node.type === 'string' && node['x-hint'] === undefined) return 'put the value in double quotes';
  return hint;
}

function enumHint(node: SchemaNode, value: unknown): string {
  const near = didYouMean(String(value), choices(node));
  return near === undefined ? hintFor(node) : `did you mean ${quote(near)}?`;
}

/** What to write, for any node. */
function hintFor(node: SchemaNode): string {
  if (node['x-hint'] !== undefined) return node['x-hint'];
  if (node.enum !== undefined) return `write ${listWords(choices(node))}`;
  switch (node.type) {
    case 'integer':
      return rangeHint(node);
    case 'boolean':
      return 'write true or false';
    case 'array':
      return 'write a list such as [a, b]';
    case 'object':
      return `write a mapping with ${listWords(Object.keys(node.properties ?? {}), 'and')}`;
    default:
      return 'write a text that is not empty';
  }
}

function rangeHint(node: SchemaNode): string {
  const unit = node['x-unit'] === undefined ? '' : ` (${node['x-unit']})`;
  const from = node.minimum ?? 0;
  return node.maximum === undefined
    ? `write a whole number of at least ${from}${unit}`
    : `write a whole number from ${from} to ${node.maximum}${unit}`;
}

function formatMessage(node: SchemaNode, value: unknown): string {
  const fault = node.format && typeof value === 'string' ? formatFault(node.format, value) : undefined;
  return fault ?? 'has a form that is not allowed';
}
