/** The only importer of ajv: data against a schema, with defaults filled in and faults as plain data. */

import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';

import { formatFault } from './formats.js';
import { ANNOTATIONS, type FormatName, type SchemaNode } from './schema-node.js';
import type { KeyPath } from './text.js';

/** One rule of the schema that the data breaks. */
export interface SchemaFault {
  readonly keyword: string;
  /** The value the rule is about. */
  readonly path: KeyPath;
  /** The schema node that holds the rule. */
  readonly node: SchemaNode;
  readonly value: unknown;
  /** The key the rule names: the unknown, the missing or the misnamed one. */
  readonly key: string | undefined;
  /** The key that depends on `key` (keyword `dependencies`). */
  readonly dependent: string | undefined;
}

const FORMATS: readonly FormatName[] = [
  'host',
  'bind',
  'host-port',
  'cidr',
  'agent-url',
  'http-url',
  'proxy-url',
];

/**
 * A validator for one schema, compiled at its first use. It fills the defaults into the data it is given and
 * returns every fault.
 */
export function schemaValidator(schema: SchemaNode): (data: unknown) => SchemaFault[] {
  let compiled: ValidateFunction | undefined;
  return (data) => {
    compiled ??= compile(schema);
    compiled(data);
    return (compiled.errors ?? []).filter(isReported).map((error) => toFault(error, data));
  };
}

function compile(schema: SchemaNode): ValidateFunction {
  const ajv = new Ajv({
    allErrors: true,
    verbose: true,
    useDefaults: true,
    // A target may be called "constructor".
    ownProperties: true,
    strict: true,
    // The branches of a oneOf name keys that are described beside it.
    strictRequired: false,
  });
  ajv.addVocabulary([...ANNOTATIONS]);
  for (const format of FORMATS) {
    ajv.addFormat(format, (text: string) => formatFault(format, text) === undefined);
  }
  return ajv.compile(schema);
}

/**
 * Alternatives (`oneOf`) are in the schema for editors; check-hub.ts and check-agent.ts say what is wrong
 * in one message instead of one for each branch. `propertyNames` only repeats the fault of the name.
 */
function isReported(error: ErrorObject): boolean {
  return !/\/oneOf(\/|$)/.test(error.schemaPath) && error.keyword !== 'propertyNames';
}

function toFault(error: ErrorObject, data: unknown): SchemaFault {
  const params = error.params as Readonly<Record<string, unknown>>;
  const key = error.propertyName ?? params['additionalProperty'] ?? params['missingProperty'];
  const dependent = params['property'];
  return {
    keyword: error.propertyName === undefined ? error.keyword : 'propertyNames',
    path: toPath(error.instancePath, data),
    node: error.parentSchema as SchemaNode,
    value: error.data,
    key: typeof key === 'string' ? key : undefined,
    dependent: typeof dependent === 'string' ? dependent : undefined,
  };
}

/** A JSON Pointer (RFC 6901) as steps; a step into a list is a number. */
function toPath(pointer: string, data: unknown): KeyPath {
  let within = data;
  return pointer
    .split('/')
    .slice(1)
    .map((escaped) => {
      const step = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
      const isIndex = Array.isArray(within);
      within = (within as Readonly<Record<string, unknown>>)[step];
      return isIndex ? Number(step) : step;
    });
}
