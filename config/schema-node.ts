/** The part of JSON Schema draft-07 that our schemas use, with our own annotations (`x-…`). */

export const SCHEMA_DIALECT = 'http://json-schema.org/draft-07/schema#';

/** Names of string formats beyond JSON Schema's own; formats.ts knows what they mean. */
export type FormatName = 'host' | 'bind' | 'host-port' | 'cidr' | 'agent-url' | 'http-url' | 'proxy-url';

export interface SchemaNode {
  readonly $schema?: string;
  readonly $id?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  /** Keys that depend on each other; stated for editors, explained by check-hub.ts and check-agent.ts. */
  readonly oneOf?: readonly { readonly required: readonly string[] }[];
  readonly dependencies?: Readonly<Record<string, readonly string[]>>;
  readonly additionalProperties?: boolean | SchemaNode;
  readonly propertyNames?: SchemaNode;
  readonly items?: SchemaNode;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly format?: FormatName;
  readonly enum?: readonly string[];
  readonly const?: string | number | boolean;
  readonly default?: unknown;
  /** Accepted from older files, with a warning, and without effect. */
  readonly deprecated?: true;
  /** What to write here, as the end of an error message. */
  readonly 'x-hint'?: string;
  readonly 'x-unit'?: 'milliseconds' | 'seconds' | 'bytes';
  /** The environment variable that wins over this key. */
  readonly 'x-env'?: string;
  /** Part of the older NowConnect's documented files. */
  readonly 'x-older'?: true;
  /** Values of `enum` are accepted in any case. */
  readonly 'x-ignore-case'?: true;
  /** Other spellings of values of `enum`, in lower case. */
  readonly 'x-aliases'?: Readonly<Record<string, string>>;
  /** How the key is called in tables where the schema has any name: `<connector>`. */
  readonly 'x-name'?: string;
}

/** Our annotation keywords, so that a strict validator takes them. */
export const ANNOTATIONS = [
  'x-hint',
  'x-unit',
  'x-env',
  'x-older',
  'x-ignore-case',
  'x-aliases',
  'x-name',
] as const;

/** The values an operator is told to choose from: without upper-case forms and aliases. */
export function choices(node: SchemaNode): readonly string[] {
  const aliases = node['x-aliases'] ?? {};
  return (node.enum ?? []).filter((value) => {
    if (node['x-ignore-case'] !== true) return true;
    return value === value.toLowerCase() && !Object.hasOwn(aliases, value);
  });
}

/** Every key that has a fixed place (not inside a list or under a free name), outer before inner. */
export function* fixedKeys(
  node: SchemaNode,
  path: readonly string[] = [],
): Generator<{ readonly path: readonly string[]; readonly node: SchemaNode }> {
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    const childPath = [...path, key];
    yield { path: childPath, node: child };
    yield* fixedKeys(child, childPath);
  }
}
