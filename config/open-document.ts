/** The steps that both daemons' configurations share: text, environment, spellings, schema. */

import { applyEnvironment, type Environment } from './environment.js';
import { explainFault } from './explain.js';
import { normalize } from './normalize.js';
import { isMapping, removeAt, valueAt, type Mapping } from './plain-data.js';
import { decodeConfig, readConfigFile } from './read-file.js';
import { Report } from './report.js';
import { fixedKeys, type SchemaNode } from './schema-node.js';
import type { SchemaFault } from './validate.js';
import { parseYaml } from './yaml.js';

/** Faults that are about a key of the value, not about the value. */
const KEY_FAULTS: ReadonlySet<string> = new Set(['required', 'dependencies']);

export interface DocumentKind {
  readonly schema: SchemaNode;
  readonly validate: (data: unknown) => SchemaFault[];
  /** Further work on the raw data before the schema sees it. */
  readonly prepare: (data: Mapping, env: Environment, report: Report) => void;
}

export interface OpenedDocument {
  readonly report: Report;
  /** Defaults filled in, faulty values taken away; complete when the report has no error. */
  readonly data: unknown;
}

/**
 * @param file what findings call the file; undefined: the environment alone.
 * @param text the file's text when the caller has it already.
 * @throws ConfigError when there is no usable YAML document; everything else goes to the report.
 */
export function openDocument(
  kind: DocumentKind,
  file: string | undefined,
  text: string | undefined,
  env: Environment,
): OpenedDocument {
  const name = file ?? 'configuration';
  const source =
    text !== undefined
      ? parseYaml(decodeConfig(Buffer.from(text), name), name)
      : file !== undefined
        ? parseYaml(readConfigFile(file), name)
        : undefined;
  const report = new Report(name, source);
  const data: Mapping = isMapping(source?.data) ? source.data : {};
  applyEnvironment(data, kind.schema, env, report, source === undefined);
  kind.prepare(data, env, report);
  normalize(data, kind.schema);
  const faults = kind.validate(data);
  reportFaults(faults, kind.schema, report);
  removeFaults(data, faults);
  warnDeprecated(data, kind.schema, report);
  return { report, data };
}

function reportFaults(faults: readonly SchemaFault[], schema: SchemaNode, report: Report): void {
  const explanations = faults.map((fault) => explainFault(fault, schema));
  // One misspelt key is one finding: the key it stands for does not count as missing too.
  for (const { meant } of explanations) if (meant !== undefined) report.markFaulty(meant);
  for (const [index, { path, part, message, hint, variable }] of explanations.entries()) {
    if (faults[index]?.keyword === 'required' && report.isFaulty(path)) continue;
    const alternative =
      variable === undefined || report.originOf(path) === variable ? '' : `, or set ${variable}`;
    report.error(path, message, hint + alternative, part);
  }
}

function removeFaults(data: Mapping, faults: readonly SchemaFault[]): void {
  for (const { keyword, path, key } of faults) {
    if (KEY_FAULTS.has(keyword)) continue;
    removeAt(data, key === undefined ? path : [...path, key]);
  }
}

function warnDeprecated(data: Mapping, schema: SchemaNode, report: Report): void {
  for (const { path, node } of fixedKeys(schema)) {
    if (node.deprecated !== true || valueAt(data, path) === undefined) continue;
    report.warn(path, 'has no effect', node['x-hint'] ?? 'remove it', 'key');
  }
}
